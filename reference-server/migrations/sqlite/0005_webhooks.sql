-- Other programs that are told what happens. Which of them are in use and of what they are told, the policy repeats for the core.
CREATE TABLE server_webhooks (
    id             TEXT    NOT NULL PRIMARY KEY,
    name           TEXT    NOT NULL,
    url            TEXT    NOT NULL,
    -- Names with blanks between them; none: all.
    events         TEXT    NOT NULL,
    made_at        INTEGER NOT NULL,
    made_by        TEXT    NOT NULL,
    disabled_at    INTEGER,
    disabled_why   TEXT,
    failing_since  INTEGER,
    gone_at        INTEGER
) STRICT;

-- As they are: to sign with a secret takes the secret itself.
CREATE TABLE server_webhook_secrets (
    place       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    webhook_id  TEXT    NOT NULL REFERENCES server_webhooks (id) ON DELETE CASCADE,
    secret      TEXT    NOT NULL,
    made_at     INTEGER NOT NULL,
    -- NULL: it is the newest.
    retires_at  INTEGER
) STRICT;
CREATE INDEX server_webhook_secrets_of_webhook ON server_webhook_secrets (webhook_id, place);

CREATE TABLE server_webhook_deliveries (
    place       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    webhook_id  TEXT    NOT NULL REFERENCES server_webhooks (id) ON DELETE CASCADE,
    message     TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    reference   TEXT,
    body        TEXT    NOT NULL,
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    delivered   INTEGER NOT NULL CHECK (delivered IN (0, 1)),
    status      INTEGER,
    why         TEXT,
    UNIQUE (webhook_id, message)
) STRICT;
CREATE INDEX server_webhook_deliveries_of_webhook ON server_webhook_deliveries (webhook_id, place);
CREATE INDEX server_webhook_deliveries_by_age ON server_webhook_deliveries (last_at);
