-- What was made under an Idempotency-Key, with the answer that was given: asked for again, it is answered again and not made again.
CREATE TABLE server_made_under_keys (
    account_id   TEXT    NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    key          TEXT    NOT NULL,
    -- An argon2id PHC string of which request it was: the body may have held a password.
    fingerprint  TEXT    NOT NULL,
    location     TEXT    NOT NULL,
    body         TEXT    NOT NULL,
    made_at      INTEGER NOT NULL,
    PRIMARY KEY (account_id, key)
) STRICT;
