-- Views of statistics with a name. Times are Unix milliseconds.
CREATE TABLE saved_view (
    id      INTEGER PRIMARY KEY,
    site    INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    owner   INTEGER,           -- an account; NULL: of the site
    query   TEXT    NOT NULL,  -- what stands behind ? in the address
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;
CREATE INDEX saved_view_by_site ON saved_view (site);
CREATE INDEX saved_view_by_owner ON saved_view (owner) WHERE owner IS NOT NULL;
