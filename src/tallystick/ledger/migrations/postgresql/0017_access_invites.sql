-- Invites to the sites of an account, and to the server. Times are Unix milliseconds.
CREATE TABLE access_invite (
    uid      text    NOT NULL PRIMARY KEY,  -- UUID v7
    digest   bytea   NOT NULL,  -- of the code; the code itself is kept nowhere
    prefix   text    NOT NULL,  -- the code's first characters, to recognise it by
    root     bigint,           -- the account's first site; NULL: to the server
    access   text    NOT NULL,  -- JSON: letters by site id or 'all'
    expires  bigint  NOT NULL,
    max_uses bigint,           -- NULL: as many as there are people
    uses     bigint  NOT NULL,
    account  bigint,           -- who made it; NULL: the operator
    created  bigint  NOT NULL,
    UNIQUE (digest)
);
CREATE INDEX access_invite_by_root ON access_invite (root);
