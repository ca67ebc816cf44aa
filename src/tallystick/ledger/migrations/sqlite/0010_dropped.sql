-- Numbers of hits that were deliberately not recorded, by hour of UTC (Unix seconds) and reason.
CREATE TABLE dropped_hit (
    site   INTEGER NOT NULL,
    hour   INTEGER NOT NULL,
    reason INTEGER NOT NULL,  -- services.ingest.dropped_hits.REASONS
    hits   INTEGER NOT NULL,
    PRIMARY KEY (site, hour, reason)
) STRICT, WITHOUT ROWID;
