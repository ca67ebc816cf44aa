-- name: held(keys)
-- Rows needed for counting that other transactions have locked, each with that transaction: lanes, sequences and some
-- counters. This locks all other such rows until the end of the transaction, so end it at once.
WITH wanted AS (
    SELECT * FROM json_to_recordset(:keys::json) AS row (lane smallint, namespace text, key text)
), free_lane AS (
    SELECT lane FROM counting_total FOR UPDATE SKIP LOCKED
), free_sequence AS (
    SELECT name FROM sequence FOR UPDATE SKIP LOCKED
), free_counter AS (
    SELECT counter.lane, counter.namespace, counter.key FROM counter
    JOIN wanted ON counter.lane = wanted.lane AND counter.namespace = wanted.namespace AND counter.key = wanted.key
    FOR UPDATE OF counter SKIP LOCKED
)
SELECT 'lane', lane::text, xmax::text FROM counting_total WHERE lane NOT IN (SELECT lane FROM free_lane)
UNION ALL
SELECT 'sequence', name, xmax::text FROM sequence WHERE name NOT IN (SELECT name FROM free_sequence)
UNION ALL
SELECT 'counter', counter.namespace || '/' || counter.key, counter.xmax::text FROM counter
JOIN wanted ON counter.lane = wanted.lane AND counter.namespace = wanted.namespace AND counter.key = wanted.key
WHERE (counter.lane, counter.namespace, counter.key) NOT IN (SELECT lane, namespace, key FROM free_counter);
