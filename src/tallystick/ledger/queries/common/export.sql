-- Exports of hits and statistics; alike on both databases. Columns stand in the order of model.export.Export.

-- name: add_export(id, site, format, start_id, start_day, file, created)!
-- Note what is wanted; a worker takes it from here, also after a restart.
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
-- The oldest export that nobody has finished.
SELECT id, site, format, start_id, start_day, last_hit, file, created, finished, num_rows, size, hash, error
FROM export WHERE finished IS NULL ORDER BY id LIMIT 1;

-- name: waiting_exports(site)$
-- How many exports of a site are not finished.
SELECT count(*) FROM export WHERE site = :site AND finished IS NULL;

-- name: finish_export(id, last_hit, finished, num_rows, size, hash, error)!
-- The file is whole, or given up.
UPDATE export SET last_hit = :last_hit, finished = :finished, num_rows = :num_rows, size = :size, hash = :hash,
                  error = :error
WHERE id = :id;

-- name: forget_exports(before)!
-- Remove what was finished so long ago that nobody asks for it any more.
DELETE FROM export WHERE finished < :before;
