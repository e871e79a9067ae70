-- Other programs that are told what happens. Which of them are in use and of what they are told, the policy repeats for the core.
CREATE TABLE server_webhooks (
    id             text    COLLATE "C" NOT NULL PRIMARY KEY,
    name           text    NOT NULL,
    url            text    NOT NULL,
    -- Names with blanks between them; none: all.
    events         text    NOT NULL,
    made_at        bigint  NOT NULL,
    made_by        text    NOT NULL,
    disabled_at    bigint,
    disabled_why   text,
    failing_since  bigint,
    gone_at        bigint
);

-- As they are: to sign with a secret takes the secret itself.
CREATE TABLE server_webhook_secrets (
    place       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id  text   COLLATE "C" NOT NULL REFERENCES server_webhooks (id) ON DELETE CASCADE,
    secret      text   NOT NULL,
    made_at     bigint NOT NULL,
    -- NULL: it is the newest.
    retires_at  bigint
);
CREATE INDEX server_webhook_secrets_of_webhook ON server_webhook_secrets (webhook_id, place);

CREATE TABLE server_webhook_deliveries (
    place       bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id  text    COLLATE "C" NOT NULL REFERENCES server_webhooks (id) ON DELETE CASCADE,
    message     text    COLLATE "C" NOT NULL,
    kind        text    NOT NULL,
    reference   text,
    body        text    NOT NULL,
    first_at    bigint  NOT NULL,
    last_at     bigint  NOT NULL,
    attempts    bigint  NOT NULL,
    delivered   boolean NOT NULL,
    status      bigint,
    why         text,
    UNIQUE (webhook_id, message)
);
CREATE INDEX server_webhook_deliveries_of_webhook ON server_webhook_deliveries (webhook_id, place);
CREATE INDEX server_webhook_deliveries_by_age ON server_webhook_deliveries (last_at);
