-- Changes of shared counters; for both databases. Their numbers come from the sequence "counter change".

-- name: add_farewell(account, number, uid, at)!
-- Record that one account lost access to a counter.
INSERT INTO counter_farewell (account, number, uid, at) VALUES (:account, :number, :uid, :at);

-- name: add_farewells(counter, number, uid, at)!
-- Record that all members lost access to a counter. Run this before they are removed.
INSERT INTO counter_farewell (account, number, uid, at)
SELECT account, :number, :uid, :at FROM counter_member WHERE counter = :counter;

-- name: newest_own_change(counter, account, looked_at)^
-- The newest change of the value by an account that is no undo and was not undone, among a counter's latest changes.
SELECT number, delta
FROM (
    SELECT number, actor, delta, undoes FROM counter_change
    WHERE counter = :counter ORDER BY number DESC LIMIT :looked_at
) AS recent
WHERE actor = :account AND delta <> 0 AND undoes IS NULL
  AND NOT EXISTS (SELECT 1 FROM counter_change AS later WHERE later.undoes = recent.number)
ORDER BY number DESC LIMIT 1;

-- name: change_to_undo(counter, number)^
-- One change of a counter's value that is no undo and was not undone: its account and amount.
SELECT actor, delta
FROM counter_change AS change
WHERE number = :number AND counter = :counter AND delta <> 0 AND undoes IS NULL
  AND NOT EXISTS (SELECT 1 FROM counter_change AS later WHERE later.undoes = change.number);

-- name: history_before(counter, before, max_rows)
-- A page of a counter's history, newest first: one range of an index, at constant cost.
SELECT change.number, change.at, account.uid, account.name, change.kind, change.delta, change.value, change.version,
       change.undoes
FROM counter_change AS change
LEFT JOIN account ON account.id = change.actor
WHERE change.counter = :counter AND change.number < :before AND change.kind IN ('created', 'value', 'details')
ORDER BY change.number DESC LIMIT :max_rows;

-- name: recent_deltas(counter, max_rows)
-- When and by how much a counter's value changed, newest first: one range of an index.
SELECT change.at, change.delta
FROM counter_change AS change
WHERE change.counter = :counter AND change.delta IS NOT NULL
ORDER BY change.number DESC LIMIT :max_rows;

-- name: passed_milestones(counter)
-- For each number of digits the first change with which a counter's value got it, unless that was undone. Each is found
-- by one range of the index change_by_digits, whose condition stands here word by word.
WITH RECURSIVE digits (amount) AS (SELECT 2 UNION ALL SELECT amount + 1 FROM digits WHERE amount < 19)
SELECT change.number, change.at, change.value
FROM digits
JOIN counter_change AS change ON change.number = (
    SELECT passed.number FROM counter_change AS passed
    WHERE passed.counter = :counter AND length(CAST(passed.value AS TEXT)) = digits.amount
      AND passed.delta > 0 AND passed.value >= 10
      AND (passed.value - passed.delta < 0
           OR length(CAST(passed.value AS TEXT)) > length(CAST(passed.value - passed.delta AS TEXT)))
      AND NOT EXISTS (SELECT 1 FROM counter_change AS later WHERE later.undoes = passed.number)
    ORDER BY passed.number LIMIT 1)
ORDER BY change.number;

-- name: first_value(counter)$
-- The value that a counter was created with.
SELECT value FROM counter_change WHERE counter = :counter ORDER BY number LIMIT 1;

-- name: history_after(counter, after, max_rows)
-- A page of a counter's history, oldest first.
SELECT change.number, change.at, account.uid, account.name, change.kind, change.delta, change.value, change.version,
       change.undoes
FROM counter_change AS change
LEFT JOIN account ON account.id = change.actor
WHERE change.counter = :counter AND change.number > :after AND change.kind IN ('created', 'value', 'details')
ORDER BY change.number LIMIT :max_rows;

-- name: note_deleted_counter(counter, number, at)!
-- Record that a deleted counter's history has to be removed.
INSERT INTO deleted_counter (counter, number, at) VALUES (:counter, :number, :at);

-- name: counter_to_clear(before)^
-- A counter that was deleted before a time and still has history.
SELECT counter, number FROM deleted_counter WHERE at <= :before ORDER BY number LIMIT 1;

-- name: history_left(counter, number, at_most)$
-- The number of a deleted counter's changes, counted up to a limit.
SELECT count(*) FROM (
    SELECT 1 FROM counter_change WHERE counter = :counter AND number < :number LIMIT :at_most) AS piece;

-- name: clear_history(counter, number, max_rows)!
-- Remove some of a deleted counter's changes.
DELETE FROM counter_change WHERE number IN (
    SELECT number FROM counter_change WHERE counter = :counter AND number < :number ORDER BY number LIMIT :max_rows);

-- name: counter_cleared(counter)!
-- Record that a deleted counter's history is removed completely.
DELETE FROM deleted_counter WHERE counter = :counter;

-- name: last_old_farewell(before, max_rows)$
-- The number of the last expired farewell, among the first ones; null if the first one has not expired.
SELECT max(number) FROM (
    SELECT number, at FROM counter_farewell ORDER BY number LIMIT :max_rows
) AS oldest WHERE at <= :before;

-- name: forget_deletions(number)!
-- Remove the deletions up to a number, which can no longer be published.
DELETE FROM counter_change WHERE kind = 'deleted' AND number IN (
    SELECT number FROM counter_farewell WHERE number <= :number);

-- name: forget_farewells(number)!
-- Remove the farewells up to a number.
DELETE FROM counter_farewell WHERE number <= :number;
