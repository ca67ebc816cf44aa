-- Marks: the progress of the ledger and of its warehouse; for both databases.

-- name: commits()$
-- The number of committed transactions.
SELECT coalesce(sum(commits), 0) FROM counting_total;

-- name: raise_commits(lane, commits)!
-- Raise the number of commits to that in another store, after a loss.
INSERT INTO counting_total (lane, keys_created, keys_updated, requests, commits) VALUES (:lane, 0, 0, 0, :commits)
ON CONFLICT (lane) DO UPDATE SET commits = counting_total.commits + excluded.commits;

-- name: numbers()
-- The last number of every sequence.
SELECT name, last FROM sequence ORDER BY name;

-- name: set_number(name, last)!
-- Make a sequence continue above a number.
INSERT INTO sequence (name, last) VALUES (:name, :last) ON CONFLICT (name) DO UPDATE SET last = excluded.last;

-- name: warehouse_marks()
-- The marks of this ledger's warehouses.
SELECT warehouse, last_id, changes FROM warehouse_mark;

-- name: note_warehouse(warehouse, last_id, changes)!
-- Store a warehouse's progress.
INSERT INTO warehouse_mark (warehouse, last_id, changes) VALUES (:warehouse, :last_id, :changes)
ON CONFLICT (warehouse) DO UPDATE SET last_id = excluded.last_id, changes = excluded.changes;

-- name: forget_other_warehouses(warehouse)!
-- Delete the marks of all other warehouses.
DELETE FROM warehouse_mark WHERE warehouse <> :warehouse;

-- name: forget_epoch()!
-- Delete the epoch, so that a new one is created: numbers may be given a second time.
DELETE FROM change_epoch;
