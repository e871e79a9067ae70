-- Beside the link that a visitor is mailed stands a code for the page on which they handed in: it works for minutes, once, and for few
-- tries. NULL: there is none, or it was used.
ALTER TABLE server_mail_confirmations ADD COLUMN code_hash bytea CHECK (length(code_hash) = 32);
-- From when the letter is sent.
ALTER TABLE server_mail_confirmations ADD COLUMN code_expires_at bigint;
ALTER TABLE server_mail_confirmations ADD COLUMN tries bigint NOT NULL DEFAULT 0;
