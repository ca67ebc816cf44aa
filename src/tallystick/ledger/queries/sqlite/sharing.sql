-- name: places(pairs)$
-- The counters of a batch and the accounts' roles in them, by [account, UUID] pairs, as one row; see counter.sql.
SELECT json_group_array(json_array(
    wanted.value ->> 0, shared.uid, shared.id, shared.type, shared.mode, shared.goal, shared.allow_exceed,
    shared.least, shared.reset_value, member.role,
    EXISTS (SELECT 1 FROM own_milestone AS own WHERE own.counter = shared.id)))
FROM jsonb_each(:pairs) AS wanted
CROSS JOIN shared_counter AS shared ON shared.uid = wanted.value ->> 1
LEFT JOIN counter_member AS member ON member.account = wanted.value ->> 0 AND member.counter = shared.id;

-- name: add_changes(first, rows)!
-- Store the changes of a batch in their order; the number of the first one is given.
INSERT INTO counter_change (number, counter, kind, actor, at, delta, value, version, undoes)
SELECT :first + key, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       value ->> 7
FROM jsonb_each(:rows);

-- name: members_of_counters(counters)
-- The members of several counters, in the order in which they joined.
SELECT member.counter, member.account, account.uid, account.name, member.role, member.joined
FROM json_each(:counters) AS wanted
CROSS JOIN counter_member AS member ON member.counter = wanted.value
JOIN account ON account.id = member.account
ORDER BY member.counter, member.joined, member.account;

-- name: kept_answers(digests, since)
-- Idempotency records under several keys; digests as a JSON array of hexadecimal text.
SELECT digest, fingerprint, status, headers, body FROM kept_answer
WHERE digest IN (SELECT unhex(value) FROM json_each(:digests)) AND created > :since;

-- name: keep_answers(rows)!
-- Store the records of a batch in the transaction of its changes; they replace expired ones with the same keys.
INSERT INTO kept_answer (digest, fingerprint, status, headers, body, created)
SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5
FROM json_each(:rows) WHERE true
ON CONFLICT (digest) DO UPDATE SET
    fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers,
    body = excluded.body, created = excluded.created;
