-- Which version of which document somebody accepted, and when. Nothing is taken back or overwritten: what was accepted stays on record.
CREATE TABLE server_acceptances (
    account_id  text   COLLATE "C" NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    document    text   NOT NULL,
    version     text   COLLATE "C" NOT NULL,
    at          bigint NOT NULL,
    PRIMARY KEY (account_id, document, version)
);
