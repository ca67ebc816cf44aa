-- Changes of shared counters, as live connections are told them; alike on both databases.

-- name: changes_after(number, max_rows)
-- The next changes of all counters; who did each as others see the person, and as we do.
SELECT change.number, change.counter, change.kind, account.uid, change.actor, change.at, change.delta, change.value,
       change.version
FROM counter_change AS change
LEFT JOIN account ON account.id = change.actor
WHERE change.number > :number
ORDER BY change.number
LIMIT :max_rows;

-- name: farewells_between(after, last)
-- Who lost sight of which counter with a run of changes.
SELECT number, account, uid, at FROM counter_farewell WHERE number > :after AND number <= :last ORDER BY number, account;

-- name: farewells_of(account, after, max_rows)
-- Which counters one person lost sight of after a change.
SELECT number, account, uid, at FROM counter_farewell WHERE account = :account AND number > :after
ORDER BY number
LIMIT :max_rows;

-- name: missed_of(account, number, at_most)
-- For each counter of a person: since which change it is, the newest one, and how many came after a number since then,
-- counted up to a limit.
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

-- name: time_up_to(number)$
-- When the newest change up to a number was made.
SELECT at FROM counter_change WHERE number <= :number ORDER BY number DESC LIMIT 1;

-- name: time_of(number)$
-- When a change was made.
SELECT at FROM counter_change WHERE number = :number;

-- name: epoch()$
-- The name of this numbering of changes.
SELECT epoch FROM change_epoch;

-- name: name_epoch(epoch)!
-- Give this numbering of changes its name.
INSERT INTO change_epoch (epoch) VALUES (:epoch);
