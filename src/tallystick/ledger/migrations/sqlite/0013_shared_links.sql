-- Links by which people without an account read the statistics of a site. Times are Unix milliseconds.
CREATE TABLE shared_link (
    id         INTEGER PRIMARY KEY,
    site       INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    folded     TEXT    NOT NULL,  -- the name without upper and lower case
    digest     BLOB    NOT NULL UNIQUE,  -- SHA-256 of the secret, which is not stored
    expires    INTEGER,           -- NULL: never
    password   TEXT,              -- a digest as accounts have; NULL: none is needed
    filters    TEXT    NOT NULL,  -- JSON: filters that every question gets
    panels     TEXT    NOT NULL,  -- JSON: names of the panels that are shown; none: all
    created_by INTEGER,           -- an account; NULL: the command line
    created    INTEGER NOT NULL,
    updated    INTEGER NOT NULL,
    used       INTEGER,           -- when it was last used, to the hour; NULL: never
    UNIQUE (site, folded)
) STRICT;
