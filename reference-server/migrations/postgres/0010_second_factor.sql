-- A second factor: codes by the clock (RFC 6238), and recovery codes for whoever has lost the device that shows them.

-- Since when log-ins need it; NULL: they do not.
ALTER TABLE server_accounts ADD COLUMN second_factor_at bigint;

-- The secret has to be kept as it is: codes are computed from it. Whoever can read this table can also read the complaints.
CREATE TABLE server_second_factors (
    account_id  text   COLLATE "C" NOT NULL PRIMARY KEY REFERENCES server_accounts (id) ON DELETE CASCADE,
    secret      bytea  NOT NULL CHECK (length(secret) = 20),
    -- Offered then; it counts from server_accounts.second_factor_at on.
    offered_at  bigint NOT NULL,
    -- The latest step whose code was taken: it and those before are taken no more.
    last_step   bigint NOT NULL DEFAULT 0
);

-- SHA-256 of the codes that are not used yet.
CREATE TABLE server_recovery_codes (
    account_id  text   COLLATE "C" NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    hash        bytea  NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (account_id, hash)
);

-- Which kinds of tries there are, the program says from now on, as on SQLite.
ALTER TABLE server_attempts DROP CONSTRAINT server_attempts_kind_check;
