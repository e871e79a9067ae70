-- Secrets of this installation that nobody types: drawn once, the same for every server on the database.
CREATE TABLE IF NOT EXISTS server_keys (
    purpose  text  NOT NULL PRIMARY KEY,
    secret   bytea NOT NULL CHECK (length(secret) = 32)
);

-- What people chose about the notices to them, as JSON.
CREATE TABLE server_preferences (
    account_id   text   COLLATE "C" NOT NULL PRIMARY KEY REFERENCES server_accounts (id) ON DELETE CASCADE,
    version      bigint NOT NULL CHECK (version >= 1),
    preferences  text   NOT NULL
);

-- Notices that wait to be listed in one letter, without words of people.
CREATE TABLE server_digest_notices (
    notice_id    text   COLLATE "C" NOT NULL PRIMARY KEY,
    account_id   text   COLLATE "C" NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    notice       text   NOT NULL,
    planned_at   bigint NOT NULL,
    -- In which letter; NULL until it is written. Its id is the same on every try.
    letter       text   COLLATE "C",
    -- When it is due; pushed forward by a claim (its lease) and by a failed try.
    next_try_at  bigint NOT NULL,
    attempts     bigint NOT NULL DEFAULT 0,
    given_up_at  bigint,
    last_error   text
);
CREATE INDEX server_digest_notices_due ON server_digest_notices (next_try_at, notice_id) WHERE given_up_at IS NULL;
CREATE INDEX server_digest_notices_of_account ON server_digest_notices (account_id, letter);
CREATE INDEX server_digest_notices_by_letter ON server_digest_notices (letter);
