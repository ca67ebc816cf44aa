-- What was done to shared counters; alike on both databases. Numbers are taken from the sequence "counter change".

-- name: add_farewell(account, number, uid, at)!
-- One person sees a counter no more.
INSERT INTO counter_farewell (account, number, uid, at) VALUES (:account, :number, :uid, :at);

-- name: add_farewells(counter, number, uid, at)!
-- Nobody of a counter's members sees it any more; asked before they are removed.
INSERT INTO counter_farewell (account, number, uid, at)
SELECT account, :number, :uid, :at FROM counter_member WHERE counter = :counter;

-- name: newest_own_change(counter, account, looked_at)^
-- The newest change of the value by a person that takes nothing back and was not taken back, among a counter's last ones.
SELECT number, delta
FROM (
    SELECT number, actor, delta, undoes FROM counter_change
    WHERE counter = :counter ORDER BY number DESC LIMIT :looked_at
) AS recent
WHERE actor = :account AND delta <> 0 AND undoes IS NULL
  AND NOT EXISTS (SELECT 1 FROM counter_change AS later WHERE later.undoes = recent.number)
ORDER BY number DESC LIMIT 1;

-- name: change_to_undo(counter, number)^
-- One change of a counter's value that takes nothing back and was not taken back: who did it, and by how much.
SELECT actor, delta
FROM counter_change AS change
WHERE number = :number AND counter = :counter AND delta <> 0 AND undoes IS NULL
  AND NOT EXISTS (SELECT 1 FROM counter_change AS later WHERE later.undoes = change.number);

-- name: history_before(counter, before, max_rows)
-- A piece of a counter's history, newest first: a range of an index, flat in cost.
SELECT change.number, change.at, account.uid, account.name, change.kind, change.delta, change.value, change.version,
       change.undoes
FROM counter_change AS change
LEFT JOIN account ON account.id = change.actor
WHERE change.counter = :counter AND change.number < :before AND change.kind IN ('created', 'value', 'details')
ORDER BY change.number DESC LIMIT :max_rows;

-- name: history_after(counter, after, max_rows)
-- A piece of a counter's history, oldest first.
SELECT change.number, change.at, account.uid, account.name, change.kind, change.delta, change.value, change.version,
       change.undoes
FROM counter_change AS change
LEFT JOIN account ON account.id = change.actor
WHERE change.counter = :counter AND change.number > :after AND change.kind IN ('created', 'value', 'details')
ORDER BY change.number LIMIT :max_rows;

-- name: note_deleted_counter(counter, number, at)!
-- Remember that a counter's history has to be removed.
INSERT INTO deleted_counter (counter, number, at) VALUES (:counter, :number, :at);

-- name: counter_to_clear(before)^
-- A counter that was deleted a while ago, and whose history lies there still.
SELECT counter, number FROM deleted_counter WHERE at <= :before ORDER BY number LIMIT 1;

-- name: history_left(counter, number, at_most)$
-- How much was done to a counter before it was deleted, counted up to a limit.
SELECT count(*) FROM (
    SELECT 1 FROM counter_change WHERE counter = :counter AND number < :number LIMIT :at_most) AS piece;

-- name: clear_history(counter, number, max_rows)!
-- Remove a piece of what was done to a counter before it was deleted.
DELETE FROM counter_change WHERE number IN (
    SELECT number FROM counter_change WHERE counter = :counter AND number < :number ORDER BY number LIMIT :max_rows);

-- name: counter_cleared(counter)!
-- Nothing of a deleted counter's history is left.
DELETE FROM deleted_counter WHERE counter = :counter;

-- name: last_old_farewell(before, max_rows)$
-- How far farewells are old, among the first ones; null when the first one is young.
SELECT max(number) FROM (
    SELECT number, at FROM counter_farewell ORDER BY number LIMIT :max_rows
) AS oldest WHERE at <= :before;

-- name: forget_deletions(number)!
-- Forget which counters were deleted, as far as nobody can be told any more.
DELETE FROM counter_change WHERE kind = 'deleted' AND number IN (
    SELECT number FROM counter_farewell WHERE number <= :number);

-- name: forget_farewells(number)!
-- Forget who lost sight of what.
DELETE FROM counter_farewell WHERE number <= :number;
