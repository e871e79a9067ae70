-- Where people live, from where they log in, and whether they want to be forgotten.

-- A list as JSON.
ALTER TABLE server_accounts ADD COLUMN postal_addresses TEXT NOT NULL DEFAULT '[]';
ALTER TABLE server_accounts ADD COLUMN deletion_asked_at INTEGER;

ALTER TABLE server_sessions ADD COLUMN device  TEXT NOT NULL DEFAULT '';
ALTER TABLE server_sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';

CREATE TABLE server_log_ins (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    account_id  TEXT    NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    at          INTEGER NOT NULL,
    door        TEXT    NOT NULL,
    -- A kind of program and of machine, as in "Firefox on Linux"; empty: unknown.
    device      TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    -- SHA-256 of the cookie by which a browser is known again; NULL: it brought none.
    browser     BLOB    CHECK (length(browser) = 32)
) STRICT;
CREATE INDEX server_log_ins_of_account ON server_log_ins (account_id, id);
CREATE INDEX server_log_ins_by_instant ON server_log_ins (at);

-- What a mail says beside its kind, in words of ours.
ALTER TABLE server_mail_outbox ADD COLUMN about TEXT;
