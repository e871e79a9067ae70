-- A link can have a code beside it, to be typed in instead, and mail about an account can go to another address than its own.
-- Both tables are made anew, because SQLite changes no CHECK of a table that is there. Which purposes and kinds there are, the
-- program says from now on, so that a new one needs no such thing.

CREATE TABLE server_one_time_tokens_anew (
    hash             BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    purpose          TEXT    NOT NULL,
    -- NULL only for setup_admin, which makes its account.
    account_id       TEXT    REFERENCES server_accounts (id) ON DELETE CASCADE,
    -- Where it was sent, if not to the account's own address: what its holder shows to be theirs.
    sent_to          TEXT,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    used_at          INTEGER,
    code_hash        BLOB    CHECK (length(code_hash) = 32),
    code_expires_at  INTEGER,
    -- Wrong codes that were typed in while this one was good.
    tries            INTEGER NOT NULL DEFAULT 0,
    CHECK ((account_id IS NULL) = (purpose = 'setup_admin')),
    CHECK ((code_hash IS NULL) = (code_expires_at IS NULL))
) STRICT;
INSERT INTO server_one_time_tokens_anew (hash, purpose, account_id, created_at, expires_at, used_at)
    SELECT hash, purpose, account_id, created_at, expires_at, used_at FROM server_one_time_tokens;
DROP TABLE server_one_time_tokens;
ALTER TABLE server_one_time_tokens_anew RENAME TO server_one_time_tokens;
CREATE INDEX server_one_time_tokens_of_account ON server_one_time_tokens (account_id, purpose);

CREATE TABLE server_mail_outbox_anew (
    id           TEXT    NOT NULL PRIMARY KEY,
    account_id   TEXT    NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    kind         TEXT    NOT NULL,
    -- NULL: to the address the account has when it is sent.
    sent_to      TEXT,
    created_at   INTEGER NOT NULL,
    -- Due again at this instant; pushed forward by a claim (its lease) and by a failed try.
    next_try_at  INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    sent_at      INTEGER,
    given_up_at  INTEGER,
    last_error   TEXT
) STRICT;
INSERT INTO server_mail_outbox_anew (id, account_id, kind, created_at, next_try_at, attempts, sent_at, given_up_at, last_error)
    SELECT id, account_id, kind, created_at, next_try_at, attempts, sent_at, given_up_at, last_error FROM server_mail_outbox;
DROP TABLE server_mail_outbox;
ALTER TABLE server_mail_outbox_anew RENAME TO server_mail_outbox;
CREATE INDEX server_mail_outbox_due ON server_mail_outbox (next_try_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE INDEX server_mail_outbox_of_account ON server_mail_outbox (account_id, kind, created_at);
