-- name: reserved_among(namespaces)
-- Those of the namespaces that are reserved.
SELECT namespace FROM reserved_namespace WHERE namespace IN (SELECT value FROM json_each(:namespaces));
