-- The server's own tables: accounts and what hangs on them. Complaints live in the store's tables, in the same schema.
-- Run with the chosen schema as the only one in the search path.
-- Instants are whole microseconds since 1970 UTC, as in the store. Secrets (cookie values, tokens) are kept as SHA-256 only;
-- passwords as argon2id PHC strings.

CREATE TABLE server_accounts (
    -- By bytes, so that lists have one order whatever the database's language is.
    id                text    COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    name              text    NOT NULL,
    email             text    NOT NULL,
    email_normalised  text    COLLATE "C" NOT NULL UNIQUE,
    phone             text,
    -- NULL until an invited person has chosen one.
    password_hash     text,
    role              text    NOT NULL CHECK (role IN ('customer', 'agent', 'admin', 'auditor')),
    email_verified_at bigint,
    disabled_at       bigint,
    created_at        bigint  NOT NULL,
    -- Whether sign-ups with different passwords wait for one address: the link then stands for none of them.
    sign_ups_differ   boolean NOT NULL DEFAULT FALSE
);

CREATE TABLE server_one_time_tokens (
    hash        bytea  NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    purpose     text   NOT NULL CHECK (purpose IN ('verify_email', 'invitation', 'setup_admin')),
    -- NULL only for setup_admin, which makes its account.
    account_id  text   COLLATE "C" REFERENCES server_accounts (id) ON DELETE CASCADE,
    created_at  bigint NOT NULL,
    expires_at  bigint NOT NULL,
    used_at     bigint,
    CHECK ((account_id IS NULL) = (purpose = 'setup_admin'))
);
CREATE INDEX server_one_time_tokens_of_account ON server_one_time_tokens (account_id, purpose);

CREATE TABLE server_sessions (
    hash             bytea  NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    account_id       text   COLLATE "C" NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    created_at       bigint NOT NULL,
    last_seen_at     bigint NOT NULL,
    idle_expires_at  bigint NOT NULL,
    expires_at       bigint NOT NULL
);
CREATE INDEX server_sessions_of_account ON server_sessions (account_id);
CREATE INDEX server_sessions_by_expiry ON server_sessions (expires_at);

CREATE TABLE server_api_tokens (
    hash        bytea  NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    account_id  text   COLLATE "C" NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    created_at  bigint NOT NULL,
    expires_at  bigint NOT NULL,
    revoked_at  bigint
);
CREATE INDEX server_api_tokens_of_account ON server_api_tokens (account_id);
CREATE INDEX server_api_tokens_by_expiry ON server_api_tokens (expires_at);

-- One row per try that counts against a limit. A try is written before the password is looked at and taken away when it
-- was right, so that parallel guesses cannot slip under the limit.
CREATE TABLE server_attempts (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind     text   NOT NULL CHECK (kind IN ('login', 'sign_up')),
    -- SHA-256 of the normalised e-mail: typed addresses of strangers are not collected.
    subject  bytea  NOT NULL CHECK (length(subject) = 32),
    address  text   NOT NULL,
    at       bigint NOT NULL
);
CREATE INDEX server_attempts_by_subject ON server_attempts (kind, subject, at);
CREATE INDEX server_attempts_by_address ON server_attempts (kind, address, at);
CREATE INDEX server_attempts_by_instant ON server_attempts (at);

-- What is to be mailed, not the mail: the link's token is drawn when the mail is sent, so no secret ever rests here.
CREATE TABLE server_mail_outbox (
    id           text   NOT NULL PRIMARY KEY,
    account_id   text   COLLATE "C" NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    kind         text   NOT NULL CHECK (kind IN ('verify_email', 'already_registered', 'invitation')),
    created_at   bigint NOT NULL,
    -- Due again at this instant; pushed forward by a claim (its lease) and by a failed try.
    next_try_at  bigint NOT NULL,
    attempts     bigint NOT NULL DEFAULT 0,
    sent_at      bigint,
    given_up_at  bigint,
    last_error   text
);
CREATE INDEX server_mail_outbox_due ON server_mail_outbox (next_try_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE INDEX server_mail_outbox_of_account ON server_mail_outbox (account_id, kind, created_at);

CREATE TABLE server_policy_versions (
    version  bigint NOT NULL PRIMARY KEY CHECK (version >= 1),
    toml     text   NOT NULL,
    made_at  bigint NOT NULL,
    made_by  text   NOT NULL
);

-- What was made under an Idempotency-Key, with the answer that was given: asked for again, it is answered again and not made again.
CREATE TABLE server_made_under_keys (
    account_id   text   COLLATE "C" NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    key          text   NOT NULL,
    -- An argon2id PHC string of which request it was: the body may have held a password.
    fingerprint  text   NOT NULL,
    location     text   NOT NULL,
    body         text   NOT NULL,
    made_at      bigint NOT NULL,
    PRIMARY KEY (account_id, key)
);
