-- Views of statistics with a name. Times are Unix milliseconds.
CREATE TABLE saved_view (
    id      bigint PRIMARY KEY,
    site    bigint NOT NULL,
    name    text   NOT NULL,
    owner   bigint,           -- an account; NULL: of the site
    query   text   NOT NULL,  -- what stands behind ? in the address
    created bigint NOT NULL,
    updated bigint NOT NULL
);
CREATE INDEX saved_view_by_site ON saved_view (site);
CREATE INDEX saved_view_by_owner ON saved_view (owner) WHERE owner IS NOT NULL;
