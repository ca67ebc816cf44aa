-- Public counters, and the totals that CountAPI's /stats reports.
-- The lane leads the primary key: one lane is one shard (see DESIGN.md).
CREATE TABLE counter (
    lane       INTEGER NOT NULL,
    namespace  TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    value      INTEGER NOT NULL,
    lower      INTEGER NOT NULL,
    upper      INTEGER NOT NULL,
    resettable INTEGER NOT NULL,
    created    INTEGER NOT NULL,  -- Unix milliseconds
    expires    INTEGER NOT NULL,  -- Unix milliseconds
    version    INTEGER NOT NULL,
    PRIMARY KEY (lane, namespace, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE counting_total (
    lane         INTEGER PRIMARY KEY,
    keys_created INTEGER NOT NULL,
    keys_updated INTEGER NOT NULL,
    requests     INTEGER NOT NULL
) STRICT;
