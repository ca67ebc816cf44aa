-- Queries of the writer: state read at the start, and removal of expired rows.

-- name: highest_id()$
-- The highest id ever moved here; the rows that had it may be deleted.
SELECT max(last_id) FROM mark;

-- name: set_last_id(last_id, commits, site, path, campaign)!
-- Record that every id up to this one is stored, and the ledger's progress.
UPDATE mark SET
    last_id = :last_id, commits = greatest(commits, :commits), site = greatest(site, :site),
    path = greatest(path, :path), campaign = greatest(campaign, :campaign);

-- name: count_change()!
-- Record that this transaction changes stored hits.
UPDATE mark SET changes = changes + 1;

-- name: marks()^
-- The progress of this store, and that of the ledger as far as it is known here.
SELECT warehouse, complete, relaxed, last_id, changes, commits, site, path, campaign FROM mark;

-- name: set_marks(warehouse, complete, relaxed, last_id, changes, commits, site, path, campaign)!
-- Store the marks that a start has determined.
UPDATE mark SET
    warehouse = :warehouse, complete = :complete, relaxed = :relaxed, last_id = :last_id, changes = :changes,
    commits = :commits, site = :site, path = :path, campaign = :campaign;

-- name: living_sessions(since, alive, max_rows)
-- Sessions with a hit after ``alive``: beginning, end, and paths in the order of their first hits.
SELECT session, first, last, paths FROM (
  SELECT session, min(created) AS first, max(created) AS last, list(DISTINCT path) AS paths
  FROM hit
  WHERE created >= :since AND session <> 0 AND bot = 0
  GROUP BY session
  HAVING max(created) >= :alive
  ORDER BY last DESC
  LIMIT :max_rows
) ORDER BY last;

-- name: visitor_keys(since)
-- The newest key of each session's visitor. The table's name is from versions that stored renamed visitors only.
SELECT session, arg_max(key, rowid) FROM renamed_visitor WHERE created >= :since GROUP BY session;

-- name: idempotency_record(key)^
-- The stored response of an idempotency key.
SELECT key, fingerprint, answer, created FROM request WHERE key = :key;

-- name: forget_requests(before)!
-- Remove expired idempotency records.
DELETE FROM request WHERE created < :before;

-- name: forget_keys(before)!
-- Remove keys of visitors.
DELETE FROM renamed_visitor WHERE created < :before;

-- name: read_everything()^
-- The number of hits. Reads every column, so that damaged blocks fail their checksums.
SELECT count(*), bit_xor(hash(hit)) FROM hit;

-- name: size()$
-- The number of hits.
SELECT count(*) FROM hit;
