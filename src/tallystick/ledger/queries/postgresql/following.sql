-- name: states_of(counters, namespace)
-- The present state of counters.
SELECT counter.id, counter.uid, counter.name, counter.type, counter.mode, counter.date, counter.day, counter.goal,
       counter.allow_exceed, counter.least, counter.reset_value, counter.created, number.value, number.version
FROM shared_counter AS counter
JOIN counter AS number ON number.lane = counter.lane AND number.namespace = :namespace AND number.key = counter.uid
WHERE counter.id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:counters::json)));

-- name: people_of(counters)
-- The members of counters, and the change at which each joined.
SELECT counter, account, since FROM counter_member
WHERE counter = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:counters::json)));

-- name: farewells_of(account, after, max_rows)
-- The counters to which an account lost access after a change; for the form of the query see ``missed_of``.
SELECT number, account, uid, at FROM counter_farewell
WHERE (account, number) > (:account, :after) AND account <= :account
ORDER BY account, number
LIMIT :max_rows;

-- name: missed_of(account, number, at_most)
-- For each counter of an account: the change at which it joined, the newest change, and the number of changes after a
-- number since then, counted up to a limit. Ordering by both columns, without an equality between them, makes PostgreSQL
-- use ``change_by_counter``: by the numbers alone it would scan the changes of all other counters.
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
-- Changes of some counters after a number. Written so that only ``change_by_counter`` is usable (see ``missed_of``).
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
-- The date counters of some accounts.
SELECT member.account, counter.id
FROM counter_member AS member
JOIN shared_counter AS counter ON counter.id = member.counter
WHERE member.account = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:accounts::json)))
  AND counter.type <> 'UpDown';

-- name: valid_tokens(tokens, permission)
-- The given tokens that still exist and have a permission, with the first characters of their present secrets.
SELECT id, prefix FROM token
WHERE id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:tokens::json)))
  AND permissions & :permission <> 0;
