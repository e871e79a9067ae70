-- Secrets of this installation that nobody types: drawn once, the same for every server on the database.
CREATE TABLE server_keys (
    purpose  TEXT NOT NULL PRIMARY KEY,
    secret   BLOB NOT NULL CHECK (length(secret) = 32)
) STRICT;

-- Mail that came in: kept as it came before anybody looks into it, with what became of it.
CREATE TABLE server_inbound_mail (
    place         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id            TEXT    NOT NULL UNIQUE,
    raw           BLOB    NOT NULL,
    raw_hash      BLOB    NOT NULL UNIQUE CHECK (length(raw_hash) = 32),
    size          INTEGER NOT NULL,
    received_at   INTEGER NOT NULL,
    -- What was read in it; NULL until somebody could.
    sender        TEXT,
    subject       TEXT,
    -- By sender and Message-ID, and by what two copies on different ways have in common. NULL as well for a second copy.
    message_hash  BLOB,
    content_hash  BLOB,
    state         TEXT    NOT NULL,
    why           TEXT,
    detail        TEXT,
    -- The reference of the complaint that it went to.
    complaint     TEXT,
    -- Staff say that a person wrote it; its sender says that it is theirs.
    released      INTEGER NOT NULL DEFAULT 0 CHECK (released IN (0, 1)),
    confirmed     INTEGER NOT NULL DEFAULT 0 CHECK (confirmed IN (0, 1)),
    attempts      INTEGER NOT NULL DEFAULT 0,
    next_try_at   INTEGER NOT NULL,
    settled_at    INTEGER,
    -- Who retried or discarded it last.
    settled_by    TEXT
) STRICT;
CREATE INDEX server_inbound_mail_due ON server_inbound_mail (next_try_at, place) WHERE state = 'waiting';
CREATE INDEX server_inbound_mail_by_state ON server_inbound_mail (state, place);
CREATE INDEX server_inbound_mail_unconfirmed ON server_inbound_mail (sender, place) WHERE state = 'unconfirmed';
CREATE INDEX server_inbound_mail_by_message ON server_inbound_mail (message_hash);
CREATE INDEX server_inbound_mail_by_content ON server_inbound_mail (content_hash);

-- The question whether mail is theirs, to whoever has an address: at most once a day to one.
CREATE TABLE server_mail_confirmations (
    id           TEXT    NOT NULL PRIMARY KEY,
    address      TEXT    NOT NULL,
    token_hash   BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    made_at      INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_try_at  INTEGER NOT NULL,
    -- Sent, or given up.
    done         INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1))
) STRICT;
CREATE INDEX server_mail_confirmations_of_address ON server_mail_confirmations (address, made_at);
CREATE INDEX server_mail_confirmations_due ON server_mail_confirmations (next_try_at) WHERE done = 0;
