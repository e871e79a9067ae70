-- Codes that were sent to telephones to show whose they are. Kept for a day after they end: they count against a limit.
CREATE TABLE server_phone_codes (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    account_id  TEXT    NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    phone       TEXT    NOT NULL,
    hash        BLOB    NOT NULL CHECK (length(hash) = 32),
    made_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    ended       INTEGER NOT NULL DEFAULT 0 CHECK (ended IN (0, 1))
) STRICT;
CREATE INDEX server_phone_codes_of_account ON server_phone_codes (account_id, made_at);
CREATE INDEX server_phone_codes_to_phone ON server_phone_codes (phone, made_at);
