-- Links by which people without an account read the statistics of a site. Times are Unix milliseconds.
CREATE TABLE shared_link (
    id         bigint PRIMARY KEY,
    site       bigint NOT NULL,
    name       text   NOT NULL,
    folded     text   NOT NULL,  -- the name without upper and lower case
    digest     bytea  NOT NULL UNIQUE,  -- SHA-256 of the secret, which is not stored
    expires    bigint,           -- NULL: never
    password   text,             -- a digest as accounts have; NULL: none is needed
    filters    text   NOT NULL,  -- JSON: filters that every question gets
    panels     text   NOT NULL,  -- JSON: names of the panels that are shown; none: all
    created_by bigint,           -- an account; NULL: the command line
    created    bigint NOT NULL,
    updated    bigint NOT NULL,
    used       bigint,           -- when it was last used, to the hour; NULL: never
    UNIQUE (site, folded)
);
