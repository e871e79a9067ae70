-- Codes that were sent to telephones to show whose they are. Kept for a day after they end: they count against a limit.
CREATE TABLE server_phone_codes (
    id          bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  text    COLLATE "C" NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    phone       text    NOT NULL,
    hash        bytea   NOT NULL CHECK (length(hash) = 32),
    made_at     bigint  NOT NULL,
    expires_at  bigint  NOT NULL,
    tries       bigint  NOT NULL DEFAULT 0,
    ended       boolean NOT NULL DEFAULT FALSE
);
CREATE INDEX server_phone_codes_of_account ON server_phone_codes (account_id, made_at);
CREATE INDEX server_phone_codes_to_phone ON server_phone_codes (phone, made_at);
