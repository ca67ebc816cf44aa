-- Public counters, and the totals that CountAPI's /stats reports.
-- The lane leads the primary key: one lane is one shard (see DESIGN.md).
CREATE TABLE counter (
    lane       smallint NOT NULL,
    namespace  text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    value      bigint   NOT NULL,
    lower      bigint   NOT NULL,
    upper      bigint   NOT NULL,
    resettable boolean  NOT NULL,
    created    bigint   NOT NULL,  -- Unix milliseconds
    expires    bigint   NOT NULL,  -- Unix milliseconds
    version    bigint   NOT NULL,
    PRIMARY KEY (lane, namespace, key)
);
-- Half-filled pages let an update stay on its page (HOT), so that counting does not bloat the index.
ALTER TABLE counter SET (fillfactor = 50);

CREATE TABLE counting_total (
    lane         smallint PRIMARY KEY,
    keys_created bigint NOT NULL,
    keys_updated bigint NOT NULL,
    requests     bigint NOT NULL
);
