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
