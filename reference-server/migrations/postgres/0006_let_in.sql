-- From where somebody was let in lately: there, the failures of strangers elsewhere do not keep them out.
CREATE TABLE server_let_in (
    -- SHA-256 of the normalised e-mail, as for tries.
    subject  bytea   NOT NULL CHECK (length(subject) = 32),
    address  text    NOT NULL,
    at       bigint  NOT NULL,
    PRIMARY KEY (subject, address)
);
CREATE INDEX server_let_in_by_instant ON server_let_in (at);
