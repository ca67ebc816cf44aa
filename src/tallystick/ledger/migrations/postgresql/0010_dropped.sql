-- Numbers of hits that were deliberately not recorded, by hour of UTC (Unix seconds) and reason.
CREATE TABLE dropped_hit (
    site   bigint NOT NULL,
    hour   bigint NOT NULL,
    reason bigint NOT NULL,  -- services.ingest.dropped_hits.REASONS
    hits   bigint NOT NULL,
    PRIMARY KEY (site, hour, reason)
);
