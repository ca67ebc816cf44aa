-- name: keep_hours(lane, rows)!
-- Store the past hours of the counters of one lane's batch.
INSERT INTO counter_hour (lane, namespace, key, hour, base)
SELECT :lane, namespace, key, hour, base
FROM json_to_recordset(:rows::json) AS row (namespace text, key text, hour integer, base bigint)
ON CONFLICT (lane, namespace, key, hour) DO NOTHING;

-- name: keep_milestones(lane, rows)!
-- Store what the counters of one lane's batch have risen to; what they had reached before keeps its time.
INSERT INTO counter_milestone (lane, namespace, key, value, at)
SELECT :lane, namespace, key, value, at
FROM json_to_recordset(:rows::json) AS row (namespace text, key text, value bigint, at bigint)
ON CONFLICT (lane, namespace, key, value) DO NOTHING;

-- name: forget_hours(lane, keys)!
-- Remove the past hours of counters of one lane.
DELETE FROM counter_hour USING json_to_recordset(:keys::json) AS gone (namespace text, key text)
WHERE counter_hour.lane = :lane AND counter_hour.namespace = gone.namespace AND counter_hour.key = gone.key;

-- name: forget_milestones(lane, keys)!
-- Remove the milestones of counters of one lane.
DELETE FROM counter_milestone USING json_to_recordset(:keys::json) AS gone (namespace text, key text)
WHERE counter_milestone.lane = :lane AND counter_milestone.namespace = gone.namespace
  AND counter_milestone.key = gone.key;

-- name: keep_days(lane, keys, since, until)!
-- Of the hours of some counters in a span, keep the first one of each day.
DELETE FROM counter_hour AS past
USING json_to_recordset(:keys::json) AS wanted (namespace text, key text)
WHERE past.lane = :lane AND past.namespace = wanted.namespace AND past.key = wanted.key
  AND past.hour >= :since AND past.hour < :until
  AND EXISTS (
    SELECT 1 FROM counter_hour AS earlier
    WHERE earlier.lane = :lane AND earlier.namespace = past.namespace AND earlier.key = past.key
      AND earlier.hour >= past.hour / 24 * 24 AND earlier.hour < past.hour);

-- name: keep_months(lane, keys, since, until)!
-- Of the hours of some counters in a span, keep the first one of each month.
DELETE FROM counter_hour AS past
USING json_to_recordset(:keys::json) AS wanted (namespace text, key text)
WHERE past.lane = :lane AND past.namespace = wanted.namespace AND past.key = wanted.key
  AND past.hour >= :since AND past.hour < :until
  AND EXISTS (
    SELECT 1 FROM counter_hour AS earlier
    WHERE earlier.lane = :lane AND earlier.namespace = past.namespace AND earlier.key = past.key
      AND earlier.hour < past.hour
      AND earlier.hour >= extract(epoch FROM date_trunc(
            'month', to_timestamp(past.hour * 3600.0) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') / 3600);
