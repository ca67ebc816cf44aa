-- Invites to the sites of an account, and to the server. Times are Unix milliseconds.
CREATE TABLE access_invite (
    uid      TEXT    NOT NULL PRIMARY KEY,  -- UUID v7
    digest   BLOB    NOT NULL,  -- of the code; the code itself is kept nowhere
    prefix   TEXT    NOT NULL,  -- the code's first characters, to recognise it by
    root     INTEGER,           -- the account's first site; NULL: to the server
    access   TEXT    NOT NULL,  -- JSON: letters by site id or 'all'
    expires  INTEGER NOT NULL,
    max_uses INTEGER,           -- NULL: as many as there are people
    uses     INTEGER NOT NULL,
    account  INTEGER,           -- who made it; NULL: the operator
    created  INTEGER NOT NULL,
    UNIQUE (digest)
) STRICT;
CREATE INDEX access_invite_by_root ON access_invite (root);
