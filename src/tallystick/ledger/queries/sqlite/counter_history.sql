-- name: keep_hours(rows)!
-- Store the past hours of a batch's counters.
INSERT INTO counter_hour (lane, namespace, key, hour, base)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
FROM jsonb_each(:rows) WHERE true
ON CONFLICT (lane, namespace, key, hour) DO NOTHING;

-- name: keep_milestones(rows)!
-- Store what the counters of a batch have risen to; what they had reached before keeps its time.
INSERT INTO counter_milestone (lane, namespace, key, value, at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
FROM jsonb_each(:rows) WHERE true
ON CONFLICT (lane, namespace, key, value) DO NOTHING;

-- name: forget_hours(keys)!
-- Remove the past hours of counters.
DELETE FROM counter_hour WHERE (lane, namespace, key) IN (
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each(:keys));

-- name: forget_milestones(keys)!
-- Remove the milestones of counters.
DELETE FROM counter_milestone WHERE (lane, namespace, key) IN (
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each(:keys));
