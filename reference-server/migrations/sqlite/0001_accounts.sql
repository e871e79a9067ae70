-- The server's own tables: accounts and what hangs on them. Complaints live in the store's tables, in the same file.
-- Instants are INTEGER microseconds since 1970 UTC: they compare as numbers, whatever wrote them.
-- Secrets (cookie values, tokens) are kept as SHA-256 only; passwords as argon2id PHC strings.

CREATE TABLE server_accounts (
    id                TEXT    NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    name              TEXT    NOT NULL,
    email             TEXT    NOT NULL,
    email_normalised  TEXT    NOT NULL UNIQUE,
    phone             TEXT,
    -- NULL until an invited person has chosen one.
    password_hash     TEXT,
    role              TEXT    NOT NULL CHECK (role IN ('customer', 'agent', 'admin', 'auditor')),
    email_verified_at INTEGER,
    disabled_at       INTEGER,
    created_at        INTEGER NOT NULL
) STRICT;

CREATE TABLE server_one_time_tokens (
    hash        BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    purpose     TEXT    NOT NULL CHECK (purpose IN ('verify_email', 'invitation', 'setup_admin')),
    -- NULL only for setup_admin, which makes its account.
    account_id  TEXT    REFERENCES server_accounts (id) ON DELETE CASCADE,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    used_at     INTEGER,
    CHECK ((account_id IS NULL) = (purpose = 'setup_admin'))
) STRICT;
CREATE INDEX server_one_time_tokens_of_account ON server_one_time_tokens (account_id, purpose);

CREATE TABLE server_sessions (
    hash             BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    account_id       TEXT    NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    created_at       INTEGER NOT NULL,
    last_seen_at     INTEGER NOT NULL,
    idle_expires_at  INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX server_sessions_of_account ON server_sessions (account_id);
CREATE INDEX server_sessions_by_expiry ON server_sessions (expires_at);

CREATE TABLE server_api_tokens (
    hash        BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    account_id  TEXT    NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT;
CREATE INDEX server_api_tokens_of_account ON server_api_tokens (account_id);
CREATE INDEX server_api_tokens_by_expiry ON server_api_tokens (expires_at);

-- One row per try that counts against a limit. A try is written before the password is looked at and taken away when it
-- was right, so that parallel guesses cannot slip under the limit.
CREATE TABLE server_attempts (
    id       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind     TEXT    NOT NULL CHECK (kind IN ('login', 'sign_up')),
    -- SHA-256 of the normalised e-mail: typed addresses of strangers are not collected.
    subject  BLOB    NOT NULL CHECK (length(subject) = 32),
    address  TEXT    NOT NULL,
    at       INTEGER NOT NULL
) STRICT;
CREATE INDEX server_attempts_by_subject ON server_attempts (kind, subject, at);
CREATE INDEX server_attempts_by_address ON server_attempts (kind, address, at);
CREATE INDEX server_attempts_by_instant ON server_attempts (at);

-- What is to be mailed, not the mail: the link's token is drawn when the mail is sent, so no secret ever rests here.
CREATE TABLE server_mail_outbox (
    id           TEXT    NOT NULL PRIMARY KEY,
    account_id   TEXT    NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    kind         TEXT    NOT NULL CHECK (kind IN ('verify_email', 'verify_email_again', 'already_registered', 'invitation')),
    created_at   INTEGER NOT NULL,
    -- Due again at this instant; pushed forward by a claim (its lease) and by a failed try.
    next_try_at  INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    sent_at      INTEGER,
    given_up_at  INTEGER,
    last_error   TEXT
) STRICT;
CREATE INDEX server_mail_outbox_due ON server_mail_outbox (next_try_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE INDEX server_mail_outbox_of_account ON server_mail_outbox (account_id, kind, created_at);

CREATE TABLE server_policy_versions (
    version  INTEGER NOT NULL PRIMARY KEY CHECK (version >= 1),
    toml     TEXT    NOT NULL,
    made_at  INTEGER NOT NULL,
    made_by  TEXT    NOT NULL
) STRICT;
