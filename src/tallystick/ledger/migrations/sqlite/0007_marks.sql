-- How far the ledger has come, and how far it knows the hits have come: what a start compares (warehouse/marks.py).
ALTER TABLE counting_total ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;  -- transactions that were written

-- The warehouses of this ledger: one beside SQLite, one for each server that shares PostgreSQL.
CREATE TABLE warehouse_mark (
    warehouse TEXT    PRIMARY KEY,  -- the name in the warehouse's own marks
    last_id   INTEGER NOT NULL,     -- its newest hit
    changes   INTEGER NOT NULL      -- deletions, merges and other changes of stored hits, counted
) STRICT, WITHOUT ROWID;
