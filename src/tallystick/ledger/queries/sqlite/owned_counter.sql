-- name: reserved_among(namespaces)
-- Those of the namespaces that are reserved.
SELECT namespace FROM reserved_namespace WHERE namespace IN (SELECT value FROM json_each(:namespaces));

-- name: owners_among(keys)
-- Who owns each of several counters, and its rules.
SELECT owner.namespace, owner.key, owner.digest, owner.account, owner.label, owner.origins, owner.one_each, owner.created
FROM json_each(:keys) AS wanted
CROSS JOIN owned_counter AS owner
WHERE owner.lane = wanted.value ->> 'lane'
  AND owner.namespace = wanted.value ->> 'namespace'
  AND owner.key = wanted.value ->> 'key';
