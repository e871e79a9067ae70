-- A link can have a code beside it, to be typed in instead, and mail about an account can go to another address than its own.
-- Which purposes and kinds there are, the program says from now on, as on SQLite.

ALTER TABLE server_one_time_tokens
    DROP CONSTRAINT server_one_time_tokens_purpose_check,
    -- Where it was sent, if not to the account's own address: what its holder shows to be theirs.
    ADD COLUMN sent_to         text,
    ADD COLUMN code_hash       bytea CHECK (length(code_hash) = 32),
    ADD COLUMN code_expires_at bigint,
    -- Wrong codes that were typed in while this one was good.
    ADD COLUMN tries           bigint NOT NULL DEFAULT 0,
    ADD CHECK ((code_hash IS NULL) = (code_expires_at IS NULL));

ALTER TABLE server_mail_outbox
    DROP CONSTRAINT server_mail_outbox_kind_check,
    -- NULL: to the address the account has when it is sent.
    ADD COLUMN sent_to text;
