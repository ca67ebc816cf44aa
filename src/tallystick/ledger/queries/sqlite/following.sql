-- name: states_of(counters, namespace)
-- The present state of counters.
SELECT counter.id, counter.uid, counter.name, counter.type, counter.mode, counter.date, counter.day, counter.goal,
       counter.allow_exceed, counter.least, counter.reset_value, counter.created, number.value, number.version
FROM shared_counter AS counter
JOIN counter AS number ON number.lane = counter.lane AND number.namespace = :namespace AND number.key = counter.uid
WHERE counter.id IN (SELECT value FROM json_each(:counters));

-- name: people_of(counters)
-- The members of counters, and the change at which each joined.
SELECT counter, account, since FROM counter_member WHERE counter IN (SELECT value FROM json_each(:counters));

-- name: farewells_of(account, after, max_rows)
-- The counters to which an account lost access after a change.
SELECT number, account, uid, at FROM counter_farewell WHERE account = :account AND number > :after
ORDER BY number
LIMIT :max_rows;

-- name: missed_of(account, number, at_most)
-- For each counter of an account: the change at which it joined, the newest change, and the number of changes after a
-- number since then, counted up to a limit.
SELECT member.counter, member.since,
       (SELECT max(change.number) FROM counter_change AS change WHERE change.counter = member.counter),
       (SELECT change.at FROM counter_change AS change WHERE change.counter = member.counter
        ORDER BY change.number DESC LIMIT 1),
       (SELECT count(*) FROM (
            SELECT 1 FROM counter_change AS change
            WHERE change.counter = member.counter AND change.number > :number AND change.number >= member.since
            LIMIT :at_most) AS missed)
FROM counter_member AS member
WHERE member.account = :account;

-- name: changes_of(counters, number, at_most)
-- Changes of some counters after a number; uses ``change_by_counter``, one range for each counter.
SELECT change.number, change.counter, change.kind, account.uid, change.actor, change.at, change.delta, change.value,
       change.version
FROM json_each(:counters) AS wanted
CROSS JOIN counter_change AS change
LEFT JOIN account ON account.id = change.actor
WHERE change.counter = wanted.value AND change.number > :number
ORDER BY change.number
LIMIT :at_most;

-- name: members_changed(counters, number, at_most)
-- Counters whose members changed after a change; each has fewer changes than the limit.
SELECT DISTINCT change.counter
FROM json_each(:counters) AS wanted
CROSS JOIN counter_change AS change
WHERE change.counter = wanted.value AND change.number > :number AND change.kind = 'members'
LIMIT :at_most;

-- name: date_counters_of(accounts)
-- The date counters of some accounts.
SELECT member.account, counter.id
FROM counter_member AS member
JOIN shared_counter AS counter ON counter.id = member.counter
WHERE member.account IN (SELECT value FROM json_each(:accounts)) AND counter.type <> 'UpDown';

-- name: valid_tokens(tokens, permission)
-- The given tokens that still exist and have a permission, with the first characters of their present secrets.
SELECT id, prefix FROM token WHERE id IN (SELECT value FROM json_each(:tokens)) AND permissions & :permission <> 0;
