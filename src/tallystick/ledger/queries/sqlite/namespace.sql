-- name: namespaces(names)
-- What decides about new counters of some namespaces.
SELECT name.value,
       coalesce((SELECT sum(keys) FROM namespace_keys WHERE namespace = name.value), 0),
       EXISTS (SELECT 1 FROM reserved_namespace WHERE namespace = name.value),
       EXISTS (SELECT 1 FROM closed_namespace WHERE namespace = name.value)
FROM json_each(:names) AS name;

-- name: count_keys(rows)!
-- Add what a batch created and deleted.
INSERT INTO namespace_keys (namespace, lane, keys)
SELECT value ->> 'namespace', value ->> 'lane', value ->> 'keys' FROM json_each(:rows) WHERE true
ON CONFLICT (namespace, lane) DO UPDATE SET keys = keys + excluded.keys;

-- name: forget_namespaces(rows)!
-- Remove the rows of namespaces without counters.
DELETE FROM namespace_keys WHERE keys = 0 AND (namespace, lane) IN (
    SELECT value ->> 'namespace', value ->> 'lane' FROM json_each(:rows));

-- name: largest_namespaces(max_rows)
-- Namespaces with the most counters: the end of an index.
SELECT namespace, keys FROM namespace_keys WHERE lane = 0 ORDER BY keys DESC LIMIT :max_rows;
