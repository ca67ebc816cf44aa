-- Hits in columns, the answers that repeated requests get again, and what outlives deleted rows.
-- Times are Unix seconds. There are no indexes: every statistic is one pass over a few columns.
CREATE TABLE hit (
    id              BIGINT    NOT NULL,  -- ever rising in the order of commits: an export goes on behind the last one
    site            INTEGER   NOT NULL,
    path            INTEGER   NOT NULL,
    session         UBIGINT   NOT NULL,  -- 0: none
    first           BOOLEAN   NOT NULL,  -- the session's first hit on the path
    event           BOOLEAN   NOT NULL,
    bot             UTINYINT  NOT NULL,  -- model.hit.Bot; 0 is a person, and only those are in statistics
    ref             VARCHAR   NOT NULL,
    ref_scheme      VARCHAR   NOT NULL,
    campaign        INTEGER,
    browser         VARCHAR   NOT NULL,
    browser_version VARCHAR   NOT NULL,
    system          VARCHAR   NOT NULL,
    system_version  VARCHAR   NOT NULL,
    country         VARCHAR   NOT NULL,
    region          VARCHAR   NOT NULL,
    language        VARCHAR   NOT NULL,
    width           UINTEGER  NOT NULL,
    created         BIGINT    NOT NULL
);

-- A living session's visitor under a newer salt than the one that its id was made with.
CREATE TABLE renamed_visitor (
    key     UBIGINT NOT NULL,
    session UBIGINT NOT NULL,
    created BIGINT  NOT NULL
);

CREATE TABLE request (
    key         VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    answer      VARCHAR NOT NULL,
    created     BIGINT  NOT NULL
);

-- The highest id ever given, written when rows are deleted.
CREATE TABLE mark (
    last_id BIGINT NOT NULL
);

INSERT INTO mark VALUES (0);
