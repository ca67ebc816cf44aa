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

-- name: keep_days(lane, keys, since, until)!
-- Of the hours of some counters in a span, keep the first one of each day.
DELETE FROM counter_hour WHERE (lane, namespace, key, hour) IN (
    SELECT past.lane, past.namespace, past.key, past.hour
    FROM jsonb_each(:keys) AS wanted
    CROSS JOIN counter_hour AS past
    WHERE past.lane = :lane AND past.namespace = wanted.value ->> 'namespace' AND past.key = wanted.value ->> 'key'
      AND past.hour >= :since AND past.hour < :until
      AND EXISTS (
        SELECT 1 FROM counter_hour AS earlier
        WHERE earlier.lane = :lane AND earlier.namespace = past.namespace AND earlier.key = past.key
          AND earlier.hour >= past.hour / 24 * 24 AND earlier.hour < past.hour));

-- name: keep_months(lane, keys, since, until)!
-- Of the hours of some counters in a span, keep the first one of each month.
DELETE FROM counter_hour WHERE (lane, namespace, key, hour) IN (
    SELECT past.lane, past.namespace, past.key, past.hour
    FROM jsonb_each(:keys) AS wanted
    CROSS JOIN counter_hour AS past
    WHERE past.lane = :lane AND past.namespace = wanted.value ->> 'namespace' AND past.key = wanted.value ->> 'key'
      AND past.hour >= :since AND past.hour < :until
      AND EXISTS (
        SELECT 1 FROM counter_hour AS earlier
        WHERE earlier.lane = :lane AND earlier.namespace = past.namespace AND earlier.key = past.key
          AND earlier.hour >= unixepoch(past.hour * 3600, 'unixepoch', 'start of month') / 3600
          AND earlier.hour < past.hour));
