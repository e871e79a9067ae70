-- Where people live, from where they log in, and whether they want to be forgotten.

-- A list as JSON.
ALTER TABLE server_accounts ADD COLUMN postal_addresses text NOT NULL DEFAULT '[]';
ALTER TABLE server_accounts ADD COLUMN deletion_asked_at bigint;

ALTER TABLE server_sessions
    ADD COLUMN device  text NOT NULL DEFAULT '',
    ADD COLUMN address text NOT NULL DEFAULT '';

CREATE TABLE server_log_ins (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  text   COLLATE "C" NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    at          bigint NOT NULL,
    door        text   NOT NULL,
    -- A kind of program and of machine, as in "Firefox on Linux"; empty: unknown.
    device      text   NOT NULL,
    address     text   NOT NULL,
    -- SHA-256 of the cookie by which a browser is known again; NULL: it brought none.
    browser     bytea  CHECK (length(browser) = 32)
);
CREATE INDEX server_log_ins_of_account ON server_log_ins (account_id, id);
CREATE INDEX server_log_ins_by_instant ON server_log_ins (at);

-- What a mail says beside its kind, in words of ours.
ALTER TABLE server_mail_outbox ADD COLUMN about text;
