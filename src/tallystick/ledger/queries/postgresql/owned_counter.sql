-- name: owners_among(keys)
-- Who owns each of several counters, and its rules.
SELECT owner.namespace, owner.key, owner.digest, owner.account, owner.label, owner.origins, owner.one_each, owner.created
FROM json_to_recordset(:keys::json) AS wanted (lane smallint, namespace text, key text)
JOIN owned_counter AS owner ON owner.lane = wanted.lane
  AND owner.namespace = wanted.namespace AND owner.key = wanted.key;
