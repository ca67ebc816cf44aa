-- Sites that a person wants to see first.
CREATE TABLE pinned_site (
    account bigint NOT NULL,
    site    bigint NOT NULL,
    PRIMARY KEY (account, site)
);
