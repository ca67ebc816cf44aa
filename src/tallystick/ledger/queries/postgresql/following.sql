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

-- name: farewells_of(account, after, max_rows)
-- Which counters one person lost sight of after a change; see below for how it is asked.
SELECT number, account, uid, at FROM counter_farewell
WHERE (account, number) > (:account, :after) AND account <= :account
ORDER BY account, number
LIMIT :max_rows;

-- name: missed_of(account, number, at_most)
-- For each counter of a person: since which change it is, the newest one, and how many came after a number since then,
-- counted up to a limit. The order by both columns, without an equation between them, leaves ``change_by_counter``
-- only: by the numbers alone PostgreSQL would go through the changes of all other counters.
SELECT member.counter, member.since,
       (SELECT change.number FROM counter_change AS change
        WHERE change.counter >= member.counter AND change.counter <= member.counter
        ORDER BY change.counter DESC, change.number DESC LIMIT 1),
       (SELECT change.at FROM counter_change AS change
        WHERE change.counter >= member.counter AND change.counter <= member.counter
        ORDER BY change.counter DESC, change.number DESC LIMIT 1),
       (SELECT count(*) FROM (
            SELECT 1 FROM counter_change AS change
            WHERE (change.counter, change.number) > (
                    member.counter, CASE WHEN member.since > :number THEN member.since - 1 ELSE :number END)
              AND change.counter <= member.counter
            ORDER BY change.counter, change.number
            LIMIT :at_most) AS missed)
FROM counter_member AS member
WHERE member.account = :account;

-- name: changes_of(counters, number, at_most)
-- What was done to some counters after a change. Asked so that only ``change_by_counter`` serves (see ``missed_of``).
SELECT change.number, change.counter, change.kind, account.uid, change.actor, change.at, change.delta, change.value,
       change.version
FROM json_array_elements_text(:counters::json) AS wanted
CROSS JOIN LATERAL (
    SELECT * FROM counter_change
    WHERE (counter, number) > (wanted.value::bigint, :number) AND counter <= wanted.value::bigint
    ORDER BY counter, number
    LIMIT :at_most) AS change
LEFT JOIN account ON account.id = change.actor
ORDER BY change.number;

-- name: members_changed(counters, number, at_most)
-- Counters whose members changed after a change.
SELECT DISTINCT change.counter
FROM json_array_elements_text(:counters::json) AS wanted
CROSS JOIN LATERAL (
    SELECT counter, kind FROM counter_change
    WHERE (counter, number) > (wanted.value::bigint, :number) AND counter <= wanted.value::bigint
    ORDER BY counter, number
    LIMIT :at_most) AS change
WHERE change.kind = 'members';

-- name: date_counters_of(accounts)
-- The counters of days that some people have.
SELECT member.account, counter.id
FROM counter_member AS member
JOIN shared_counter AS counter ON counter.id = member.counter
WHERE member.account = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:accounts::json)))
  AND counter.type <> 'UpDown';

-- name: valid_tokens(tokens, permission)
-- Which tokens still exist and have a permission; and the first characters of their present secrets.
SELECT id, prefix FROM token
WHERE id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:tokens::json)))
  AND permissions & :permission <> 0;
