-- name: namespaces(names)
-- What decides about new counters of some namespaces.
SELECT name.value,
       coalesce((SELECT sum(keys) FROM namespace_keys
                 WHERE lane IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) AND namespace = name.value), 0),
       EXISTS (SELECT 1 FROM reserved_namespace WHERE namespace = name.value),
       EXISTS (SELECT 1 FROM closed_namespace WHERE namespace = name.value)
FROM json_array_elements_text(:names::json) AS name;

-- name: count_keys(rows)!
-- Add what a lane's batch created and deleted. In the order of the names, so that two batches of the lane wait for each
-- other in one direction only.
INSERT INTO namespace_keys (lane, namespace, keys)
SELECT lane, namespace, keys FROM json_to_recordset(:rows::json) AS row (namespace text, lane smallint, keys bigint)
ORDER BY namespace COLLATE "C"
ON CONFLICT (lane, namespace) DO UPDATE SET keys = namespace_keys.keys + excluded.keys;

-- name: forget_namespaces(rows)!
-- Remove the rows of namespaces without counters; they are locked already.
DELETE FROM namespace_keys USING json_to_recordset(:rows::json) AS row (namespace text, lane smallint)
WHERE namespace_keys.namespace = row.namespace AND namespace_keys.lane = row.lane AND namespace_keys.keys = 0;

-- name: largest_namespaces(max_rows)
-- Namespaces with the most counters: the largest of each lane, by the sum. Counters are spread over the lanes by their
-- names, so what is large is large in each.
WITH candidate AS (
    SELECT DISTINCT top.namespace FROM generate_series(0, 15) AS lane,
    LATERAL (SELECT namespace FROM namespace_keys WHERE namespace_keys.lane = lane.lane::smallint
             ORDER BY keys DESC LIMIT :max_rows) AS top
)
SELECT namespace, sum(keys) AS keys FROM namespace_keys JOIN candidate USING (namespace)
WHERE lane IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
GROUP BY namespace HAVING sum(keys) > 0
ORDER BY keys DESC, namespace LIMIT :max_rows;
