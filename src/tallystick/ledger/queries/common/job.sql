-- What was decided here and has still to be done in the warehouse; alike on both databases.

-- name: enqueue(id, kind, arguments, created)!
-- Add a job to the queue.
INSERT INTO job (id, kind, arguments, created) VALUES (:id, :kind, :arguments, :created);

-- name: jobs(max_rows)
-- The next jobs, oldest first.
SELECT id, kind, arguments, created FROM job ORDER BY id LIMIT :max_rows;

-- name: job_done(id)!
-- Nothing is left of a job.
DELETE FROM job WHERE id = :id;

-- name: remove_path(site, id)$
-- Remove one path of a site; its hits go with a job.
DELETE FROM path WHERE site = :site AND id = :id RETURNING id;

-- name: remove_paths_of_site(site)!
-- Remove every path of a site.
DELETE FROM path WHERE site = :site;

-- name: remove_campaigns_of_site(site)!
-- Remove every campaign of a site.
DELETE FROM campaign WHERE site = :site;

-- name: remove_exports_of_site(site)!
-- Forget every export of a site; their files go within a day.
DELETE FROM export WHERE site = :site;

-- name: remove_site(site)!
-- Remove a site of which nothing else is left.
DELETE FROM site WHERE id = :site AND state = 'd';
