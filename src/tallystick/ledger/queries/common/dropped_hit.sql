-- Numbers of hits that were deliberately not recorded; for both databases.

-- name: add_dropped(site, hour, reason, hits)!
-- Add to the number of an hour.
INSERT INTO dropped_hit (site, hour, reason, hits) VALUES (:site, :hour, :reason, :hits)
ON CONFLICT (site, hour, reason) DO UPDATE SET hits = dropped_hit.hits + excluded.hits;

-- name: dropped_hits(site, since, until)
-- Dropped hits of the hours that begin in a period, by reason.
SELECT reason, sum(hits) FROM dropped_hit
WHERE site = :site AND hour >= :since AND hour < :until GROUP BY reason;

-- name: dropped_over_time(site, since, until, ahead, step)
-- Dropped hits of the hours that begin in a period, by steps of local time and reason.
SELECT (hour + :ahead) / :step, reason, sum(hits) FROM dropped_hit
WHERE site = :site AND hour >= :since AND hour < :until GROUP BY 1, 2;

-- name: forget_dropped(site, before)!
-- Remove old numbers.
DELETE FROM dropped_hit WHERE site = :site AND hour < :before;

-- name: remove_dropped_of_site(site)!
-- Remove all numbers of a deleted site.
DELETE FROM dropped_hit WHERE site = :site;
