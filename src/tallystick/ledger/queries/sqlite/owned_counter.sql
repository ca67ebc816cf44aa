-- name: owners_among(keys)
-- Who owns each of several counters, and its rules.
SELECT owner.namespace, owner.key, owner.digest, owner.account, owner.label, owner.origins, owner.one_each, owner.created
FROM json_each(:keys) AS wanted
CROSS JOIN owned_counter AS owner
WHERE owner.lane = wanted.value ->> 'lane'
  AND owner.namespace = wanted.value ->> 'namespace'
  AND owner.key = wanted.value ->> 'key';
