-- Sites that a person wants to see first.
CREATE TABLE pinned_site (
    account INTEGER NOT NULL,
    site    INTEGER NOT NULL,
    PRIMARY KEY (account, site)
) STRICT, WITHOUT ROWID;
