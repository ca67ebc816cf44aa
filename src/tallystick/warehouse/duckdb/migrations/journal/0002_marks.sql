-- How a batch is encoded: rows.FORMAT of the program that wrote it.
ALTER TABLE batch ADD COLUMN format INTEGER NOT NULL DEFAULT 1;

-- How far the journal has come, and how far it knows the other stores have come: what a start compares. One row.
CREATE TABLE marks (
    warehouse TEXT    NOT NULL,  -- names the hits that this journal belongs to; '' before the first start
    last_id   INTEGER NOT NULL,  -- the newest id acknowledged
    moved     INTEGER NOT NULL,  -- up to this id hits were let go of: DuckDB has had them durably
    changes   INTEGER NOT NULL,  -- of DuckDB: deletions, merges and other changes of stored hits, counted
    commits   INTEGER NOT NULL,  -- of the ledger
    site      INTEGER NOT NULL,  -- the newest ids of the ledger that hits refer to
    path      INTEGER NOT NULL,
    campaign  INTEGER NOT NULL,
    written   INTEGER NOT NULL   -- commits of the journal: without a change SQLite would write nothing
) STRICT;

INSERT INTO marks SELECT '', coalesce(max(last_id), 0), 0, 0, 0, 0, 0, 0, 0 FROM batch;
