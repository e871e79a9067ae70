-- What a visitor hands in by a form waits as mail does until whoever has the address says that it is theirs.
ALTER TABLE server_inbound_mail ADD COLUMN by_form INTEGER NOT NULL DEFAULT 0 CHECK (by_form IN (0, 1));

-- A letter to an address is the question whether something is theirs or, with a reference as it was typed, the link to that complaint, if
-- it is theirs.
ALTER TABLE server_mail_confirmations ADD COLUMN reference TEXT;

-- Bytes of the whole message, where only its beginning is here.
ALTER TABLE server_inbound_mail ADD COLUMN whole_size INTEGER;
