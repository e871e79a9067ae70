-- A second factor: codes by the clock (RFC 6238), and recovery codes for whoever has lost the device that shows them.

-- Since when log-ins need it; NULL: they do not.
ALTER TABLE server_accounts ADD COLUMN second_factor_at INTEGER;

-- The secret has to be kept as it is: codes are computed from it. Whoever can read this table can also read the complaints.
CREATE TABLE server_second_factors (
    account_id  TEXT    NOT NULL PRIMARY KEY REFERENCES server_accounts (id) ON DELETE CASCADE,
    secret      BLOB    NOT NULL CHECK (length(secret) = 20),
    -- Offered then; it counts from server_accounts.second_factor_at on.
    offered_at  INTEGER NOT NULL,
    -- The latest step whose code was taken: it and those before are taken no more.
    last_step   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- SHA-256 of the codes that are not used yet.
CREATE TABLE server_recovery_codes (
    account_id  TEXT    NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    hash        BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (account_id, hash)
) STRICT;

-- Which kinds of tries there are, the program says from now on; made anew, because SQLite changes no CHECK of a table that is there.
CREATE TABLE server_attempts_anew (
    id       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind     TEXT    NOT NULL,
    -- SHA-256 of the normalised e-mail, or of the account: typed addresses of strangers are not collected.
    subject  BLOB    NOT NULL CHECK (length(subject) = 32),
    address  TEXT    NOT NULL,
    at       INTEGER NOT NULL
) STRICT;
INSERT INTO server_attempts_anew (id, kind, subject, address, at) SELECT id, kind, subject, address, at FROM server_attempts;
DROP TABLE server_attempts;
ALTER TABLE server_attempts_anew RENAME TO server_attempts;
CREATE INDEX server_attempts_by_subject ON server_attempts (kind, subject, at);
CREATE INDEX server_attempts_by_address ON server_attempts (kind, address, at);
CREATE INDEX server_attempts_by_instant ON server_attempts (at);
