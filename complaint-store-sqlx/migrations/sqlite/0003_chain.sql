-- Each entry carries a hash over its bytes and the hash of the entry before it, and its words stand beside the facts under a
-- salted digest. The engine has no SHA-256: the rows are taken over from complaint_log_unchained by the code of this step.

DROP TRIGGER complaint_log_no_update;
DROP TRIGGER complaint_log_no_delete;
DROP TRIGGER complaint_log_no_replace;
ALTER TABLE complaint_log RENAME TO complaint_log_unchained;

CREATE TABLE complaint_log (
    row          INTEGER PRIMARY KEY,   -- the order of commits over all complaints
    complaint    BLOB    NOT NULL REFERENCES complaint_state (id),
    seq          INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    codec        INTEGER NOT NULL,
    entry        TEXT    NOT NULL,      -- the facts, without the words
    words        TEXT,                  -- what was typed, if anything was
    salt         BLOB,                  -- keeps words that were erased from being guessed by their digest
    words_digest BLOB CHECK (length(words_digest) = 32),
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
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
