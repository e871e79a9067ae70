-- Secrets of this installation that nobody types: drawn once, the same for every server on the database.
CREATE TABLE server_keys (
    purpose  text  NOT NULL PRIMARY KEY,
    secret   bytea   NOT NULL CHECK (length(secret) = 32)
);

-- Mail that came in: kept as it came before anybody looks into it, with what became of it.
CREATE TABLE server_inbound_mail (
    place         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            text    COLLATE "C" NOT NULL UNIQUE,
    raw           bytea   NOT NULL,
    raw_hash      bytea   NOT NULL UNIQUE CHECK (length(raw_hash) = 32),
    size          bigint  NOT NULL,
    received_at   bigint  NOT NULL,
    -- What was read in it; NULL until somebody could.
    sender        text,
    subject       text,
    -- By sender and Message-ID, and by what two copies on different ways have in common. NULL as well for a second copy.
    message_hash  bytea,
    content_hash  bytea,
    state         text    NOT NULL,
    why           text,
    detail        text,
    -- The reference of the complaint that it went to.
    complaint     text,
    -- Staff say that a person wrote it; its sender says that it is theirs.
    released      boolean NOT NULL DEFAULT FALSE,
    confirmed     boolean NOT NULL DEFAULT FALSE,
    attempts      bigint  NOT NULL DEFAULT 0,
    next_try_at   bigint  NOT NULL,
    settled_at    bigint,
    -- Who retried or discarded it last.
    settled_by    text
);
CREATE INDEX server_inbound_mail_due ON server_inbound_mail (next_try_at, place) WHERE state = 'waiting';
CREATE INDEX server_inbound_mail_by_state ON server_inbound_mail (state, place);
CREATE INDEX server_inbound_mail_unconfirmed ON server_inbound_mail (sender, place) WHERE state = 'unconfirmed';
CREATE INDEX server_inbound_mail_by_message ON server_inbound_mail (message_hash);
CREATE INDEX server_inbound_mail_by_content ON server_inbound_mail (content_hash);

-- The question whether mail is theirs, to whoever has an address: at most once a day to one.
CREATE TABLE server_mail_confirmations (
    id           text    COLLATE "C" NOT NULL PRIMARY KEY,
    address      text    NOT NULL,
    token_hash   bytea   NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    made_at      bigint  NOT NULL,
    expires_at   bigint  NOT NULL,
    attempts     bigint  NOT NULL DEFAULT 0,
    next_try_at  bigint  NOT NULL,
    -- Sent, or given up.
    done         boolean NOT NULL DEFAULT FALSE
);
CREATE INDEX server_mail_confirmations_of_address ON server_mail_confirmations (address, made_at);
CREATE INDEX server_mail_confirmations_due ON server_mail_confirmations (next_try_at) WHERE NOT done;
