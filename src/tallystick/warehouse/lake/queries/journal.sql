-- name: add_batch(node, content, format, hits)$
-- Store a batch of hits. Returns its seq.
INSERT INTO tallystick_hits.batch (node, content, format, hits)
VALUES (:node, :content, :format, :hits)
RETURNING seq;

-- name: add_nothing()!
-- Fails where a batch could not be stored now, for example on a server that only takes reads.
INSERT INTO tallystick_hits.batch (node, content, format, hits) SELECT '', '', 0, 0 WHERE false;

-- name: add_requests(rows)
-- Store idempotency records, in the order of their keys, so that two nodes never wait for each other. Waits for a
-- transaction that stores one of the keys. Returns the keys that had no record.
INSERT INTO tallystick_hits.request (key, fingerprint, answer, created)
SELECT key, fingerprint, answer, created
FROM json_to_recordset(:rows::json) AS r (key text, fingerprint text, answer text, created bigint)
ORDER BY key
ON CONFLICT (key) DO NOTHING
RETURNING key;

-- name: request(key)^
-- The idempotency record of a key.
SELECT key, fingerprint, answer, created FROM tallystick_hits.request WHERE key = :key;

-- name: forget_requests(before)!
-- Remove idempotency records older than a second of the clock by which they age.
DELETE FROM tallystick_hits.request WHERE created < :before;

-- name: waiting()^
-- The numbers of batches that are not in the lake and of their hits, and the age of the oldest, in seconds, or NULL.
SELECT count(*), coalesce(sum(hits), 0), extract(epoch FROM clock_timestamp() - min(stored))::double precision
FROM tallystick_hits.batch;

-- name: newest_waiting()^
-- The newest batch that is not in the lake, or NULL. Where there is one, the mover is notified: a read waits for it.
SELECT seq, CASE WHEN seq IS NOT NULL THEN pg_notify('tallystick_hits', '') END
FROM (SELECT max(seq) AS seq FROM tallystick_hits.batch) AS newest;

-- name: still_waiting(seq)$
-- Whether a batch up to ``seq`` is not in the lake yet.
SELECT EXISTS (SELECT 1 FROM tallystick_hits.batch WHERE seq <= :seq);
