-- How far the ledger has come, and the hits; alike on both databases.

-- name: commits()$
-- How many transactions were written.
SELECT coalesce(sum(commits), 0) FROM counting_total;

-- name: raise_commits(lane, commits)!
-- Be as far as another store says, after a loss.
INSERT INTO counting_total (lane, keys_created, keys_updated, requests, commits) VALUES (:lane, 0, 0, 0, :commits)
ON CONFLICT (lane) DO UPDATE SET commits = counting_total.commits + excluded.commits;

-- name: numbers()
-- Where every sequence stands.
SELECT name, last FROM sequence ORDER BY name;

-- name: set_number(name, last)!
-- Have a sequence go on above a number.
INSERT INTO sequence (name, last) VALUES (:name, :last) ON CONFLICT (name) DO UPDATE SET last = excluded.last;

-- name: warehouse_marks()
-- The warehouses of this ledger.
SELECT warehouse, last_id, changes FROM warehouse_mark;

-- name: note_warehouse(warehouse, last_id, changes)!
-- How far a warehouse has come.
INSERT INTO warehouse_mark (warehouse, last_id, changes) VALUES (:warehouse, :last_id, :changes)
ON CONFLICT (warehouse) DO UPDATE SET last_id = excluded.last_id, changes = excluded.changes;

-- name: forget_other_warehouses(warehouse)!
-- There is one only.
DELETE FROM warehouse_mark WHERE warehouse <> :warehouse;

-- name: forget_epoch()!
-- Have the numbering of changes named anew: numbers may be given a second time.
DELETE FROM change_epoch;
