-- From where somebody was let in lately: there, the failures of strangers elsewhere do not keep them out.
CREATE TABLE server_let_in (
    -- SHA-256 of the normalised e-mail, as for tries.
    subject  BLOB    NOT NULL CHECK (length(subject) = 32),
    address  TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (subject, address)
) STRICT;
CREATE INDEX server_let_in_by_instant ON server_let_in (at);
