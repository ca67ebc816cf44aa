-- Changes of stored hits. Every change can safely run twice: it is repeated after a crash.

-- name: delete_site(site)!
-- Remove every hit of a site.
DELETE FROM hit WHERE site = :site;

-- name: delete_paths(site, paths)!
-- Remove every hit of some paths, a JSON list of ids.
DELETE FROM hit WHERE site = :site AND path IN (SELECT unnest(from_json(:paths, '["INTEGER"]')));

-- name: move_paths(site, paths, into)!
-- Move the hits of some paths to another path.
UPDATE hit SET path = :into WHERE site = :site AND path IN (SELECT unnest(from_json(:paths, '["INTEGER"]')));

-- name: move_pages(site, paths, into)!
-- Move the events that happened on some pages to another page.
UPDATE hit SET page = :into WHERE site = :site AND page IN (SELECT unnest(from_json(:paths, '["INTEGER"]')));

-- name: judge_visits_with_events_on(site, paths)!
-- Have irregular visits judged anew whose events happened on some pages: without these pages they may be regular.
UPDATE irregular_visit SET judged = false WHERE site = :site AND session IN (
    SELECT session FROM hit WHERE site = :site AND page IN (SELECT unnest(from_json(:paths, '["INTEGER"]')))
);

-- name: forget_pages(site, paths)!
-- Remove the pages of events that happened on some pages.
UPDATE hit SET page = NULL WHERE site = :site AND page IN (SELECT unnest(from_json(:paths, '["INTEGER"]')));

-- name: first_once(site, path)!
-- Keep only the earliest of a session's first visits to a path.
UPDATE hit SET first = false FROM (
  SELECT session, arg_min(id, (created, id)) AS id
  FROM hit
  WHERE site = :site AND path = :path AND first AND bot = 0 AND session <> 0
  GROUP BY session
  HAVING count(*) > 1
) AS earliest
WHERE hit.site = :site AND hit.path = :path AND hit.first AND hit.bot = 0
  AND hit.session = earliest.session AND hit.id <> earliest.id;

-- name: relabel_selected(into)!
-- Change the bot code of the hits in the temporary table ``selected``.
UPDATE hit SET bot = :into WHERE id IN (SELECT id FROM selected);

-- name: paths_of_selected()
-- Paths of the hits in ``selected``.
SELECT DISTINCT path FROM hit WHERE id IN (SELECT id FROM selected);

-- name: find_moved_firsts()!
-- Where a session has hits of people on a path, none of which is its first, and that one is a bot's: the hit that is to
-- be the first, and the one that was.
CREATE TEMP TABLE moved_first AS
SELECT unnest([gains, loses]) AS id, unnest([true, false]) AS first FROM (
  SELECT arg_min(id, (created, id)) FILTER (bot = 0) AS gains,
         arg_min(id, (created, id)) FILTER (bot > 0 AND first) AS loses
  FROM hit SEMI JOIN (
    SELECT site, session, path FROM hit WHERE session <> 0 AND id IN (SELECT id FROM selected)
  ) AS changed USING (site, session, path)
  GROUP BY site, session, path
  HAVING count(*) FILTER (bot = 0 AND first) = 0
) WHERE gains IS NOT NULL AND loses IS NOT NULL;

-- name: move_firsts()!
-- Move the mark of first hits.
UPDATE hit SET first = moved_first.first FROM moved_first WHERE hit.id = moved_first.id;

-- name: forget_moved_firsts()!
-- Remove the temporary table.
DROP TABLE moved_first;

-- name: add_request(key, fingerprint, answer, created)!
-- Store an idempotency record.
INSERT INTO request (key, fingerprint, answer, created) VALUES (:key, :fingerprint, :answer, :created);

-- name: paths_of_label(site, bot, first, last)
-- Paths of hits with a bot code.
SELECT DISTINCT path FROM hit WHERE site = :site AND bot = :bot AND id BETWEEN :first AND :last;

-- name: expire(limits)!
-- Remove hits older than their site's retention; ``limits`` is JSON, sites and Unix seconds.
DELETE FROM hit USING (
  SELECT unnest(r.site) AS site, unnest(r.before) AS before
  FROM (SELECT from_json(:limits, '{"site": ["INTEGER"], "before": ["BIGINT"]}') AS r)
) AS kept
WHERE hit.site = kept.site AND hit.created < kept.before;

-- name: count_expired(limits)$
-- The number of hits older than their site's retention; ``limits`` as above.
SELECT count(*) FROM hit JOIN (
  SELECT unnest(r.site) AS site, unnest(r.before) AS before
  FROM (SELECT from_json(:limits, '{"site": ["INTEGER"], "before": ["BIGINT"]}') AS r)
) AS kept ON hit.site = kept.site AND hit.created < kept.before;

-- name: expired_by_site(limits)
-- Sites with hits older than their retention, and the number of those; ``limits`` as above.
SELECT hit.site, count(*) FROM hit JOIN (
  SELECT unnest(r.site) AS site, unnest(r.before) AS before
  FROM (SELECT from_json(:limits, '{"site": ["INTEGER"], "before": ["BIGINT"]}') AS r)
) AS kept ON hit.site = kept.site AND hit.created < kept.before
GROUP BY hit.site;

-- name: end_of_part(site, since, before, skipped)$
-- The time of the hit that so many older ones are before, or NULL.
SELECT created FROM hit WHERE site = :site AND created >= :since AND created < :before
ORDER BY created LIMIT 1 OFFSET :skipped;

-- name: expire_part(site, since, before)!
-- Remove the hits of a span.
DELETE FROM hit WHERE site = :site AND created >= :since AND created < :before;

-- name: newest_time()$
-- The time of the newest hit, in Unix seconds.
SELECT coalesce(max(created), 0) FROM hit;

-- name: labels(site)
-- For each bot code of a site's hits: their number, the first and last id, and the newest time in Unix seconds.
SELECT bot, count(*), min(id), max(id), max(created) FROM hit WHERE site = :site GROUP BY bot ORDER BY bot;

-- name: hits_of_paths(site, paths, max_rows, skipped)
-- Paths, a JSON list of ids, with their hits of people and of bots; most hits first.
SELECT listed.id, coalesce(counted.hits, 0), coalesce(counted.bots, 0)
FROM (SELECT unnest(from_json(:paths, '["INTEGER"]')) AS id) AS listed
LEFT JOIN (
  SELECT path, count(*) FILTER (bot = 0) AS hits, count(*) FILTER (bot <> 0) AS bots
  FROM hit
  WHERE site = :site
  GROUP BY path
) AS counted ON counted.path = listed.id
ORDER BY 2 DESC, 3 DESC, 1
LIMIT :max_rows OFFSET :skipped;
