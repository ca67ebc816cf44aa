-- name: states_of(counters, namespace)
-- Counters as they are now.
SELECT counter.id, counter.uid, counter.name, counter.type, counter.mode, counter.date, counter.day, counter.goal,
       counter.allow_exceed, counter.least, counter.reset_value, counter.created, number.value, number.version
FROM shared_counter AS counter
JOIN counter AS number ON number.lane = counter.lane AND number.namespace = :namespace AND number.key = counter.uid
WHERE counter.id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:counters::json)));

-- name: people_of(counters)
-- Whose counters these are, and since which change.
SELECT counter, account, since FROM counter_member
WHERE counter = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:counters::json)));

-- name: changes_of(counters, number)
-- What was done to some counters after a change; read by ``change_by_counter``, a range a counter.
SELECT change.number, change.counter, change.kind, account.uid, change.actor, change.at, change.delta, change.value,
       change.version
FROM counter_change AS change
LEFT JOIN account ON account.id = change.actor
WHERE change.counter = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:counters::json)))
  AND change.number > :number
ORDER BY change.number;

-- name: members_changed(counters, number)
-- Counters whose members changed after a change.
SELECT DISTINCT counter FROM counter_change
WHERE counter = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:counters::json)))
  AND number > :number AND kind = 'members';

-- name: date_counters_of(accounts)
-- The counters of days that some people have.
SELECT member.account, counter.id
FROM counter_member AS member
JOIN shared_counter AS counter ON counter.id = member.counter
WHERE member.account = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:accounts::json)))
  AND counter.type <> 'UpDown';

-- name: valid_tokens(tokens, permission)
-- Which tokens still exist and have a permission.
SELECT id FROM token
WHERE id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:tokens::json)))
  AND permissions & :permission <> 0;
