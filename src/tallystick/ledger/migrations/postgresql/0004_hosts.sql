-- Hosts beside a site's own: those that the only site of a server has counted for, and those that no site has.
-- Times are Unix milliseconds.
CREATE TABLE site_host (
    host  text   PRIMARY KEY,  -- lower case, without port
    site  bigint NOT NULL,
    added bigint NOT NULL
);

CREATE TABLE unknown_host (
    host     text   PRIMARY KEY,
    requests bigint NOT NULL,
    first    bigint NOT NULL,
    last     bigint NOT NULL
);
