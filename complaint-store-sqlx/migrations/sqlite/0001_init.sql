-- Instants are whole microseconds since 1970 (UTC). Documents are JSON of the version in `codec`.
-- Columns beside a document repeat what lists filter and sort by; the document is what is true.

CREATE TABLE complaint_state (
    row            INTEGER PRIMARY KEY, -- named, so that VACUUM keeps it: complaint_search points here
    id             BLOB    NOT NULL UNIQUE,
    reference      TEXT    NOT NULL UNIQUE,
    version        INTEGER NOT NULL,
    customer       TEXT    NOT NULL,
    against        TEXT,
    category       TEXT    NOT NULL,
    status         TEXT    NOT NULL,
    is_open        INTEGER NOT NULL CHECK (is_open IN (0, 1)),
    level          INTEGER NOT NULL,
    handler        TEXT,
    weight         INTEGER NOT NULL,
    received_at    INTEGER NOT NULL,
    promised_at    INTEGER NOT NULL,    -- 9223372036854775807: nothing is promised; those sort last
    next_action_at INTEGER,
    has_missed_deadline INTEGER NOT NULL CHECK (has_missed_deadline IN (0, 1)),
    ratings        TEXT    NOT NULL,    -- scores joined by commas
    words_hash     INTEGER NOT NULL,    -- of the words in complaint_search, to index them again only when they change
    codec          INTEGER NOT NULL,
    state          TEXT    NOT NULL     -- last, because it may run over to further pages
) STRICT;

CREATE INDEX complaint_state_by_receipt ON complaint_state (received_at DESC, id);
CREATE INDEX complaint_state_by_promise ON complaint_state (promised_at, id);
CREATE INDEX complaint_state_by_customer ON complaint_state (customer, received_at DESC, id);
CREATE INDEX complaint_state_by_handler ON complaint_state (handler, received_at DESC, id) WHERE handler IS NOT NULL;
CREATE INDEX complaint_state_by_category ON complaint_state (category, received_at DESC, id);
-- Those of daily work hold open complaints only, so they do not grow with the closed ones.
CREATE INDEX complaint_state_open_by_receipt ON complaint_state (received_at DESC, id) WHERE is_open = 1;
CREATE INDEX complaint_state_open_by_promise ON complaint_state (promised_at, id) WHERE is_open = 1;
CREATE INDEX complaint_state_open_by_handler ON complaint_state (handler, promised_at, id) WHERE is_open = 1;
CREATE INDEX complaint_state_open_by_handler_receipt ON complaint_state (handler, received_at DESC, id) WHERE is_open = 1;
CREATE INDEX complaint_state_queue ON complaint_state (level, promised_at, id) WHERE status = 'queued';
CREATE INDEX complaint_state_queue_by_receipt ON complaint_state (level, received_at DESC, id) WHERE status = 'queued';
CREATE INDEX complaint_state_due ON complaint_state (next_action_at, id) WHERE next_action_at IS NOT NULL;
CREATE INDEX complaint_state_counts
    ON complaint_state (status, level, category, has_missed_deadline, ratings, handler, against);

CREATE TABLE complaint_log (
    row       INTEGER PRIMARY KEY,      -- the order of commits over all complaints
    complaint BLOB    NOT NULL REFERENCES complaint_state (id),
    seq       INTEGER NOT NULL,
    version   INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    codec     INTEGER NOT NULL,
    entry     TEXT    NOT NULL,
    UNIQUE (complaint, seq)
) STRICT;

CREATE TRIGGER complaint_log_no_update BEFORE UPDATE ON complaint_log
BEGIN SELECT RAISE(ABORT, 'complaint_log is append-only'); END;

CREATE TRIGGER complaint_log_no_delete BEFORE DELETE ON complaint_log
BEGIN SELECT RAISE(ABORT, 'complaint_log is append-only'); END;

-- INSERT OR REPLACE deletes without asking the trigger above.
CREATE TRIGGER complaint_log_no_replace BEFORE INSERT ON complaint_log
WHEN EXISTS (SELECT 1 FROM complaint_log WHERE complaint = NEW.complaint AND seq = NEW.seq)
  OR EXISTS (SELECT 1 FROM complaint_log WHERE row = NEW.row)
BEGIN SELECT RAISE(ABORT, 'complaint_log is append-only'); END;

CREATE TABLE complaint_agents (
    id               TEXT    NOT NULL PRIMARY KEY,
    workload         INTEGER NOT NULL CHECK (workload >= 0),
    last_assigned_at INTEGER,
    codec            INTEGER NOT NULL,
    agent            TEXT    NOT NULL
) STRICT;

CREATE TABLE complaint_outbox (
    row          INTEGER PRIMARY KEY,
    id           BLOB    NOT NULL UNIQUE,
    complaint    BLOB    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    planned_at   INTEGER NOT NULL,
    available_at INTEGER NOT NULL,      -- when it may be claimed: planned, end of the lease, or the next attempt
    attempts     INTEGER NOT NULL DEFAULT 0,
    settled_at   INTEGER,
    last_error   TEXT,
    codec        INTEGER NOT NULL,
    notice       TEXT    NOT NULL       -- without its words once it was delivered
) STRICT;

CREATE INDEX complaint_outbox_waiting ON complaint_outbox (available_at, row) WHERE state = 'waiting';

CREATE TABLE complaint_idempotency (
    owner        TEXT    NOT NULL,
    key          TEXT    NOT NULL,
    fingerprint  TEXT    NOT NULL,
    complaint    BLOB    NOT NULL,
    version      INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

-- Holds words that were cut and lowered outside, joined by spaces. The ascii tokenizer splits at the spaces and takes
-- every other character as it is; unicode61 would cut by its own, older tables of letters.
CREATE VIRTUAL TABLE complaint_search USING fts5 (
    words,
    tokenize = 'ascii',
    prefix = '2 3',
    content = '',
    contentless_delete = 1
);
