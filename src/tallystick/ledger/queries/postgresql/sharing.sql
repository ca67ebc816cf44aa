-- name: places(pairs)$
-- The counters of a batch and the accounts' roles in them, by [account, UUID] pairs; as one JSON text.
SELECT coalesce(json_agg(json_build_array(
    wanted.account, shared.uid, shared.id, shared.type, shared.mode, shared.goal, shared.allow_exceed,
    shared.least, shared.reset_value, member.role,
    EXISTS (SELECT 1 FROM own_milestone AS own WHERE own.counter = shared.id)::integer)), '[]')::text
FROM (
    SELECT (value ->> 0)::bigint AS account, value ->> 1 AS uid FROM json_array_elements(:pairs::json)
) AS wanted
JOIN shared_counter AS shared ON shared.uid = wanted.uid
LEFT JOIN counter_member AS member ON member.account = wanted.account AND member.counter = shared.id;

-- name: add_changes(first, rows)!
-- Store the changes of a batch in their order; the number of the first one is given.
INSERT INTO counter_change (number, counter, kind, actor, at, delta, value, version, undoes)
SELECT :first::bigint + position - 1, (value ->> 0)::bigint, value ->> 1, (value ->> 2)::bigint,
       (value ->> 3)::bigint, (value ->> 4)::bigint, (value ->> 5)::bigint, (value ->> 6)::bigint,
       (value ->> 7)::bigint
FROM json_array_elements(:rows::json) WITH ORDINALITY AS change (value, position);

-- name: members_of_counters(counters)
-- The members of several counters, in the order in which they joined.
SELECT member.counter, member.account, account.uid, account.name, member.role, member.joined
FROM counter_member AS member
JOIN account ON account.id = member.account
WHERE member.counter = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:counters::json)))
ORDER BY member.counter, member.joined, member.account;

-- name: kept_answers(digests, since)
-- Idempotency records under several keys; digests as a JSON array of hexadecimal text.
SELECT digest, fingerprint, status, headers, body FROM kept_answer
WHERE digest = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text(:digests::json)))
  AND created > :since;

-- name: keep_answers(rows)!
-- Store the records of a batch in the transaction of its changes; they replace expired ones with the same keys.
-- In the order of their digests, so that two batches wait for each other in one direction only.
INSERT INTO kept_answer (digest, fingerprint, status, headers, body, created)
SELECT decode(value ->> 0, 'hex') AS digest, decode(value ->> 1, 'hex'), (value ->> 2)::bigint, value ->> 3,
       decode(value ->> 4, 'hex'), (value ->> 5)::bigint
FROM json_array_elements(:rows::json)
ORDER BY digest
ON CONFLICT (digest) DO UPDATE SET
    fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers,
    body = excluded.body, created = excluded.created;
