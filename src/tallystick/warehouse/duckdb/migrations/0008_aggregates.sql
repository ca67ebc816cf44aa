-- Figures by day and value that another program has counted. They are no hits: only questions that want them read
-- them, and only those of imports that are done.
CREATE TABLE IF NOT EXISTS aggregate_import (
    id      INTEGER NOT NULL,
    site    INTEGER NOT NULL,
    kind    VARCHAR NOT NULL,  -- the program that counted
    name    VARCHAR NOT NULL,  -- of the file
    digest  VARCHAR NOT NULL,  -- of its content
    created BIGINT  NOT NULL,  -- Unix seconds
    parts   INTEGER NOT NULL,  -- how many have arrived
    done    BOOLEAN NOT NULL   -- whether all have
);
ALTER TABLE mark ADD COLUMN IF NOT EXISTS last_import INTEGER DEFAULT 0;  -- the newest id that an import got

-- Days are in days since 1970, durations in seconds, all together.
CREATE TABLE IF NOT EXISTS imported_visitors (
    import INTEGER NOT NULL, site INTEGER NOT NULL, day INTEGER NOT NULL,
    visitors BIGINT NOT NULL, pageviews BIGINT NOT NULL, bounces BIGINT NOT NULL, visits BIGINT NOT NULL,
    visit_duration BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS imported_pages (
    import INTEGER NOT NULL, site INTEGER NOT NULL, day INTEGER NOT NULL,
    hostname VARCHAR NOT NULL, page VARCHAR NOT NULL,
    visits BIGINT NOT NULL, visitors BIGINT NOT NULL, pageviews BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS imported_entry_pages (
    import INTEGER NOT NULL, site INTEGER NOT NULL, day INTEGER NOT NULL,
    entry_page VARCHAR NOT NULL,
    visitors BIGINT NOT NULL, entrances BIGINT NOT NULL, visit_duration BIGINT NOT NULL, bounces BIGINT NOT NULL,
    pageviews BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS imported_exit_pages (
    import INTEGER NOT NULL, site INTEGER NOT NULL, day INTEGER NOT NULL,
    exit_page VARCHAR NOT NULL,
    visitors BIGINT NOT NULL, visit_duration BIGINT NOT NULL, exits BIGINT NOT NULL, bounces BIGINT NOT NULL,
    pageviews BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS imported_custom_events (
    import INTEGER NOT NULL, site INTEGER NOT NULL, day INTEGER NOT NULL,
    name VARCHAR NOT NULL, link_url VARCHAR NOT NULL, path VARCHAR NOT NULL,
    visitors BIGINT NOT NULL, events BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS imported_sources (
    import INTEGER NOT NULL, site INTEGER NOT NULL, day INTEGER NOT NULL,
    source VARCHAR NOT NULL, referrer VARCHAR NOT NULL, utm_source VARCHAR NOT NULL, utm_medium VARCHAR NOT NULL,
    utm_campaign VARCHAR NOT NULL, utm_content VARCHAR NOT NULL, utm_term VARCHAR NOT NULL,
    pageviews BIGINT NOT NULL, visitors BIGINT NOT NULL, visits BIGINT NOT NULL, visit_duration BIGINT NOT NULL,
    bounces BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS imported_locations (
    import INTEGER NOT NULL, site INTEGER NOT NULL, day INTEGER NOT NULL,
    country VARCHAR NOT NULL, region VARCHAR NOT NULL, city VARCHAR NOT NULL,
    visitors BIGINT NOT NULL, visits BIGINT NOT NULL, visit_duration BIGINT NOT NULL, bounces BIGINT NOT NULL,
    pageviews BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS imported_devices (
    import INTEGER NOT NULL, site INTEGER NOT NULL, day INTEGER NOT NULL,
    device VARCHAR NOT NULL,
    visitors BIGINT NOT NULL, visits BIGINT NOT NULL, visit_duration BIGINT NOT NULL, bounces BIGINT NOT NULL,
    pageviews BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS imported_browsers (
    import INTEGER NOT NULL, site INTEGER NOT NULL, day INTEGER NOT NULL,
    browser VARCHAR NOT NULL, browser_version VARCHAR NOT NULL,
    visitors BIGINT NOT NULL, visits BIGINT NOT NULL, visit_duration BIGINT NOT NULL, bounces BIGINT NOT NULL,
    pageviews BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS imported_operating_systems (
    import INTEGER NOT NULL, site INTEGER NOT NULL, day INTEGER NOT NULL,
    operating_system VARCHAR NOT NULL, operating_system_version VARCHAR NOT NULL,
    visitors BIGINT NOT NULL, visits BIGINT NOT NULL, visit_duration BIGINT NOT NULL, bounces BIGINT NOT NULL,
    pageviews BIGINT NOT NULL
);
