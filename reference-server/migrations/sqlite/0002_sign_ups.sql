-- Whether sign-ups with different passwords wait for one address: the link then stands for none of them.
ALTER TABLE server_accounts ADD COLUMN sign_ups_differ INTEGER NOT NULL DEFAULT 0 CHECK (sign_ups_differ IN (0, 1));

-- One mail a day, whoever asks for it and how: the second kind is gone.
UPDATE server_mail_outbox SET kind = 'verify_email' WHERE kind = 'verify_email_again';
