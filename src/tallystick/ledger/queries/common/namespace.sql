-- Namespaces of public counters, for the operator; for both databases.

-- name: busiest_namespaces(hour, max_rows)
-- Namespaces by how much their counters changed in an hour. Reads every counter.
SELECT namespace, sum(abs(value - base)) AS changes FROM counter
WHERE hour = :hour AND substr(namespace, 1, 1) <> ':' AND value <> base
GROUP BY namespace ORDER BY changes DESC, namespace LIMIT :max_rows;

-- name: closed_namespaces(after, max_rows)
-- Namespaces in which nobody without an account creates counters.
SELECT namespace, created FROM closed_namespace WHERE namespace > :after ORDER BY namespace LIMIT :max_rows;

-- name: close_namespace(namespace, created)!
-- Let nobody without an account create counters in a namespace.
INSERT INTO closed_namespace (namespace, created) VALUES (:namespace, :created) ON CONFLICT (namespace) DO NOTHING;

-- name: open_namespace(namespace)!
-- Let everybody create counters in a namespace again.
DELETE FROM closed_namespace WHERE namespace = :namespace;

-- name: count_closed()$
-- How many namespaces are closed.
SELECT count(*) FROM closed_namespace;

-- name: count_frozen()$
-- How many counters are frozen.
SELECT count(*) FROM counter WHERE flags >= 8;

-- name: some_frozen(max_rows)
-- The first frozen counters by name.
SELECT namespace, key FROM counter WHERE flags >= 8 ORDER BY namespace, key LIMIT :max_rows;
