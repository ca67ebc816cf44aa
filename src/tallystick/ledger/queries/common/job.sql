-- Jobs: decisions of the ledger that are still to be carried out in the warehouse; for both databases.

-- name: enqueue(id, kind, arguments, created)!
-- Add a job to the queue.
INSERT INTO job (id, kind, arguments, created) VALUES (:id, :kind, :arguments, :created);

-- name: jobs(max_rows)
-- The next jobs, oldest first.
SELECT id, kind, arguments, created FROM job ORDER BY id LIMIT :max_rows;

-- name: job_done(id)!
-- Delete a finished job.
DELETE FROM job WHERE id = :id;

-- name: remove_paths_of_site(site)!
-- Remove every path of a site.
DELETE FROM path WHERE site = :site;

-- name: remove_campaigns_of_site(site)!
-- Remove every campaign of a site.
DELETE FROM campaign WHERE site = :site;

-- name: remove_exports_of_site(site)!
-- Delete all exports of a site; their files are deleted within a day.
DELETE FROM export WHERE site = :site;

-- name: remove_site(site)!
-- Delete a site, after everything that belongs to it.
DELETE FROM site WHERE id = :site AND state = 'd';
