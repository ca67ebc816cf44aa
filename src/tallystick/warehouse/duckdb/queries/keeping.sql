-- What the writer reads back, and what it clears away.

-- name: highest_id()$
-- The highest id ever moved here; the rows that had it may be deleted.
SELECT max(last_id) FROM mark;

-- name: set_last_id(last_id, commits, site, path, campaign)!
-- Every id up to this one is here, and the ledger has come at least so far.
UPDATE mark SET
    last_id = :last_id, commits = greatest(commits, :commits), site = greatest(site, :site),
    path = greatest(path, :path), campaign = greatest(campaign, :campaign);

-- name: count_change()!
-- Stored hits are changed in this transaction.
UPDATE mark SET changes = changes + 1;

-- name: marks()^
-- How far this store has come, and how far it knows the ledger has come.
SELECT warehouse, complete, relaxed, last_id, changes, commits, site, path, campaign FROM mark;

-- name: set_marks(warehouse, complete, relaxed, last_id, changes, commits, site, path, campaign)!
-- What a start has settled.
UPDATE mark SET
    warehouse = :warehouse, complete = :complete, relaxed = :relaxed, last_id = :last_id, changes = :changes,
    commits = :commits, site = :site, path = :path, campaign = :campaign;

-- name: living_sessions(since, alive, max_rows)
-- Sessions with a hit after ``alive``: beginning, end and paths in the order they were seen.
SELECT session, first, last, paths FROM (
  SELECT session, min(created) AS first, max(created) AS last, list(DISTINCT path) AS paths
  FROM hit
  WHERE created >= :since AND session <> 0 AND bot = 0
  GROUP BY session
  HAVING max(created) >= :alive
  ORDER BY last DESC
  LIMIT :max_rows
) ORDER BY last;

-- name: renamed_visitors(since)
-- Keys under which living sessions are found; the newest of each.
SELECT arg_max(key, rowid), session FROM renamed_visitor WHERE created >= :since GROUP BY session;

-- name: kept_request(key)^
-- The answer that a key got.
SELECT key, fingerprint, answer, created FROM request WHERE key = :key;

-- name: forget_requests(before)!
-- Remove answers that need not be repeated any more.
DELETE FROM request WHERE created < :before;

-- name: forget_renamed(before)!
-- Remove keys of sessions that have ended.
DELETE FROM renamed_visitor WHERE created < :before;

-- name: read_everything()^
-- How many hits there are, with every column read: damaged blocks do not pass their checksums.
SELECT count(*), bit_xor(hash(hit)) FROM hit;

-- name: size()$
-- How many hits there are.
SELECT count(*) FROM hit;
