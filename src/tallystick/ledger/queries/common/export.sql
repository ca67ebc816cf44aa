-- Exports of hits and statistics; for both databases. Columns stand in the order of model.export.Export.

-- name: add_export(id, site, format, start_id, start_day, file, created)!
-- Store a pending export. A worker runs it, also after a restart.
INSERT INTO export (id, site, format, start_id, start_day, file, created)
VALUES (:id, :site, :format, :start_id, :start_day, :file, :created);

-- name: export_by_id(id)^
-- One export.
SELECT id, site, format, start_id, start_day, last_hit, file, created, finished, num_rows, size, hash, error
FROM export WHERE id = :id;

-- name: latest_exports(site, max_rows)
-- A site's newest exports.
SELECT id, site, format, start_id, start_day, last_hit, file, created, finished, num_rows, size, hash, error
FROM export WHERE site = :site ORDER BY id DESC LIMIT :max_rows;

-- name: next_export()^
-- The oldest pending export.
SELECT id, site, format, start_id, start_day, last_hit, file, created, finished, num_rows, size, hash, error
FROM export WHERE finished IS NULL ORDER BY id LIMIT 1;

-- name: waiting_exports(site)$
-- The number of a site's pending exports.
SELECT count(*) FROM export WHERE site = :site AND finished IS NULL;

-- name: finish_export(id, last_hit, finished, num_rows, size, hash, error)!
-- Finish an export: its file is complete, or it failed.
UPDATE export SET last_hit = :last_hit, finished = :finished, num_rows = :num_rows, size = :size, hash = :hash,
                  error = :error
WHERE id = :id;

-- name: forget_exports(before)!
-- Delete exports that finished before a time.
DELETE FROM export WHERE finished < :before;
