-- Hosts beside a site's own: those that the only site of a server has counted for, and those that no site has.
-- Times are Unix milliseconds.
CREATE TABLE site_host (
    host  TEXT    PRIMARY KEY,  -- lower case, without port
    site  INTEGER NOT NULL,
    added INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE unknown_host (
    host     TEXT    PRIMARY KEY,
    requests INTEGER NOT NULL,
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
