-- Shared counters; for both databases. Columns are in the order of services.sharing.access. A counter's value is a row
-- of the table counter, read by its full primary key.

-- name: add_shared_counter(id, uid, lane, name, type, mode, date, day, goal, allow_exceed, least, reset_value, created)!
-- Store a new counter; its value is stored separately.
INSERT INTO shared_counter (
    id, uid, lane, name, type, mode, date, day, goal, allow_exceed, least, reset_value, created)
VALUES (:id, :uid, :lane, :name, :type, :mode, :date, :day, :goal, :allow_exceed, :least, :reset_value, :created);

-- name: shared_counter(account, uid)^
-- One counter; the last column is the account's role, or null.
SELECT shared.id, shared.uid, shared.name, shared.type, shared.mode, shared.date, shared.day, shared.goal,
       shared.allow_exceed, shared.least, shared.reset_value, shared.created, number.value, number.version,
       member.role
FROM shared_counter AS shared
JOIN counter AS number
  ON number.lane = shared.lane AND number.namespace = ':shared' AND number.key = shared.uid
LEFT JOIN counter_member AS member ON member.account = :account AND member.counter = shared.id
WHERE shared.uid = :uid;

-- name: shared_counters_of(account)
-- The counters of an account.
SELECT shared.id, shared.uid, shared.name, shared.type, shared.mode, shared.date, shared.day, shared.goal,
       shared.allow_exceed, shared.least, shared.reset_value, shared.created, number.value, number.version
FROM counter_member AS member
JOIN shared_counter AS shared ON shared.id = member.counter
JOIN counter AS number
  ON number.lane = shared.lane AND number.namespace = ':shared' AND number.key = shared.uid
WHERE member.account = :account
ORDER BY shared.uid;

-- name: change_shared_counter(id, name, mode, date, day, goal, allow_exceed, least, reset_value)!
-- Replace a counter's settings.
UPDATE shared_counter SET
    name = :name, mode = :mode, date = :date, day = :day, goal = :goal, allow_exceed = :allow_exceed,
    least = :least, reset_value = :reset_value
WHERE id = :id;

-- name: delete_shared_counter(id)!
-- Delete a counter; its dependent rows are deleted by other queries.
DELETE FROM shared_counter WHERE id = :id;
