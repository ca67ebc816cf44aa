-- Milestones that people gave a shared counter; for both databases.

-- name: own_milestones(counter)
-- The milestones of a counter, the lowest first, and when each was reached.
SELECT own.value, change.at
FROM own_milestone AS own
LEFT JOIN counter_change AS change ON change.number = own.number
WHERE own.counter = :counter
ORDER BY own.value;

-- name: add_own_milestone(counter, value)!
-- Add a milestone, with the first change that reached it. One pass over the counter's changes, until it is found.
INSERT INTO own_milestone (counter, value, number) VALUES (:counter, :value, (
    SELECT number FROM counter_change AS passed
    WHERE passed.counter = :counter AND passed.delta > 0 AND passed.value >= :value
      AND passed.value - passed.delta < :value
      AND NOT EXISTS (SELECT 1 FROM counter_change AS later WHERE later.undoes = passed.number)
    ORDER BY number LIMIT 1));

-- name: remove_own_milestone(counter, value)!
-- Remove a milestone.
DELETE FROM own_milestone WHERE counter = :counter AND value = :value;

-- name: remove_own_milestones(counter)!
-- Remove all milestones of a counter.
DELETE FROM own_milestone WHERE counter = :counter;

-- name: reach_own_milestones(counter, before, after, number)!
-- Note with which change the value rose to the milestones between two values.
UPDATE own_milestone SET number = :number
WHERE counter = :counter AND number IS NULL AND value > :before AND value <= :after;

-- name: own_milestones_of_change(counter, number)
-- The milestones that a change was the first to reach.
SELECT value FROM own_milestone WHERE counter = :counter AND number = :number;
