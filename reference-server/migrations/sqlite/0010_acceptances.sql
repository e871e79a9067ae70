-- Which version of which document somebody accepted, and when. Nothing is taken back or overwritten: what was accepted stays on record.
CREATE TABLE server_acceptances (
    account_id  TEXT    NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    document    TEXT    NOT NULL,
    version     TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (account_id, document, version)
) STRICT;
