-- Who logs in with an OpenID Connect provider, as Google.

CREATE TABLE server_identities (
    id          text   COLLATE "C" PRIMARY KEY,
    account_id  text   COLLATE "C" NOT NULL REFERENCES server_accounts (id) ON DELETE CASCADE,
    -- Together they are one person at one provider, for ever; an address may become somebody else's.
    issuer      text   COLLATE "C" NOT NULL,
    subject     text   COLLATE "C" NOT NULL,
    -- The address the provider vouched for when it was linked: only to be shown.
    email       text   NOT NULL,
    linked_at   bigint NOT NULL,
    UNIQUE (issuer, subject)
);
CREATE INDEX server_identities_of_account ON server_identities (account_id, linked_at);

-- What was brought back from a provider, or confirmed, counts once.
CREATE TABLE server_used_passages (
    hash        bytea  PRIMARY KEY CHECK (length(hash) = 32),
    -- Nobody would take it any more, used or not.
    expires_at  bigint NOT NULL
);
CREATE INDEX server_used_passages_by_end ON server_used_passages (expires_at);
