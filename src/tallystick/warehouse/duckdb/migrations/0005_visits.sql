-- One row for each visitor session of people: what it is counted and grouped by. Kept in the transactions that change
-- hits. Values of a visit are those of its first hit, by time and id.
CREATE TABLE visit (
    site            INTEGER   NOT NULL,
    session         UBIGINT   NOT NULL,  -- never 0: a hit without a session has no row here
    started         BIGINT    NOT NULL,  -- Unix seconds of the first and of the last hit
    ended           BIGINT    NOT NULL,
    pageviews       UINTEGER  NOT NULL,  -- hits that are no events
    events          UINTEGER  NOT NULL,
    firsts          UINTEGER  NOT NULL,  -- hits that are the first of the session on their path
    entry_page      INTEGER,             -- path of the first pageview; NULL without one
    exit_page       INTEGER,             -- path of the last pageview
    entry_host      VARCHAR   NOT NULL,  -- host of the first pageview; empty without one
    exit_host       VARCHAR   NOT NULL,
    source          VARCHAR   NOT NULL,
    channel         VARCHAR   NOT NULL,
    ref             VARCHAR   NOT NULL,
    ref_scheme      VARCHAR   NOT NULL,
    utm_source      VARCHAR   NOT NULL,
    utm_medium      VARCHAR   NOT NULL,
    utm_content     VARCHAR   NOT NULL,
    utm_term        VARCHAR   NOT NULL,
    campaign        INTEGER,
    browser         VARCHAR   NOT NULL,
    browser_version VARCHAR   NOT NULL,
    system          VARCHAR   NOT NULL,
    system_version  VARCHAR   NOT NULL,
    country         VARCHAR   NOT NULL,
    region          VARCHAR   NOT NULL,
    language        VARCHAR   NOT NULL,
    width           UINTEGER  NOT NULL
);

ALTER TABLE mark ADD COLUMN visits BOOLEAN DEFAULT false;  -- whether `visit` has been computed from the hits before it
