-- Changes of shared counters, for publishing to live connections; for both databases.

-- name: changes_after(number, max_rows)
-- The next changes of all counters, each with the public id and the internal id of its account.
SELECT change.number, change.counter, change.kind, account.uid, change.actor, change.at, change.delta, change.value,
       change.version
FROM counter_change AS change
LEFT JOIN account ON account.id = change.actor
WHERE change.number > :number
ORDER BY change.number
LIMIT :max_rows;

-- name: farewells_between(after, last)
-- The accounts that lost access to a counter within a range of changes.
SELECT number, account, uid, at FROM counter_farewell WHERE number > :after AND number <= :last ORDER BY number, account;

-- name: time_up_to(number)$
-- The time of the newest change up to a number.
SELECT at FROM counter_change WHERE number <= :number ORDER BY number DESC LIMIT 1;

-- name: time_of(number)$
-- The time of a change.
SELECT at FROM counter_change WHERE number = :number;

-- name: epoch()$
-- The epoch: the identity of this numbering of changes.
SELECT epoch FROM change_epoch;

-- name: name_epoch(epoch)!
-- Set the epoch.
INSERT INTO change_epoch (epoch) VALUES (:epoch);
