-- What a visitor hands in by a form waits as mail does until whoever has the address says that it is theirs.
ALTER TABLE server_inbound_mail ADD COLUMN by_form boolean NOT NULL DEFAULT FALSE;

-- A letter to an address is the question whether something is theirs or, with a reference as it was typed, the link to that complaint, if
-- it is theirs.
ALTER TABLE server_mail_confirmations ADD COLUMN reference text;

-- Bytes of the whole message, where only its beginning is here.
ALTER TABLE server_inbound_mail ADD COLUMN whole_size bigint;
