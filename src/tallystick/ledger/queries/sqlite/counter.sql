-- name: load(keys)$
-- The counters of a batch, as one JSON array, so that Python fetches one row: each row that it fetches
-- releases the GIL and takes it again.
SELECT json_group_array(json_array(
    counter.namespace, counter.key, counter.value, counter.lower, counter.upper,
    counter.resettable, counter.created, counter.expires, counter.version, counter.hour, counter.base, counter.flags))
FROM jsonb_each(:keys) AS wanted
CROSS JOIN counter
WHERE counter.lane = wanted.value ->> 0
  AND counter.namespace = wanted.value ->> 1
  AND counter.key = wanted.value ->> 2;

-- name: save(rows)!
-- Store the changed counters of a batch, new and existing ones.
INSERT INTO counter (
    lane, namespace, key, value, lower, upper, resettable, created, expires, version, hour, base, flags)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
       value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11,
       value ->> 12
FROM jsonb_each(:rows) WHERE true
ON CONFLICT (lane, namespace, key) DO UPDATE SET
    value = excluded.value, lower = excluded.lower, upper = excluded.upper,
    resettable = excluded.resettable, created = excluded.created,
    expires = excluded.expires, version = excluded.version, hour = excluded.hour, base = excluded.base,
    flags = excluded.flags;

-- name: save_counted(rows)!
-- Store counters of a batch that exist and differ in value, expiry and version alone, as nearly all do: each further
-- element of an array takes longer to reach. Inserts none.
INSERT INTO counter (lane, namespace, key, value, expires, version, lower, upper, resettable, created)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, 0, 0, 0, 0
FROM jsonb_each(:rows) WHERE true
ON CONFLICT (lane, namespace, key) DO UPDATE SET
    value = excluded.value, expires = excluded.expires, version = excluded.version;

-- name: remove(keys)!
-- Remove the counters of a batch that its operations deleted.
DELETE FROM counter WHERE (lane, namespace, key) IN (
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each(:keys));

-- name: page(lane, namespace, key, max_rows)
-- The next counters in storage order after the given one: a range of the primary key, at constant cost.
SELECT namespace, key, value, lower, upper, resettable, created, expires, version, hour, base, flags
FROM counter
WHERE (lane, namespace, key) > (:lane, :namespace, :key)
ORDER BY lane, namespace, key
LIMIT :max_rows;

-- name: between(lane, namespace, key, until_namespace, until_key, max_rows)
-- The first counters of a lane from one name on and before another: a range of the primary key, at constant cost.
SELECT namespace, key, value, lower, upper, resettable, created, expires, version, hour, base, flags
FROM counter
WHERE lane = :lane AND (namespace, key) >= (:namespace, :key)
  AND (namespace, key) < (:until_namespace, :until_key)
ORDER BY namespace, key
LIMIT :max_rows;

-- name: listing(namespace, now, max_rows)
-- Unexpired counters of one namespace, sorted for display: one range of the primary key in each lane.
SELECT namespace, key, value, lower, upper, resettable, created, expires, version, hour, base, flags
FROM counter
WHERE lane IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
  AND namespace = :namespace AND expires > :now
ORDER BY key
LIMIT :max_rows;

-- name: listing_all(now, max_rows)
-- Unexpired public counters, sorted for display. Reads every counter: for the command line only.
SELECT namespace, key, value, lower, upper, resettable, created, expires, version, hour, base, flags
FROM counter
WHERE expires > :now AND substr(namespace, 1, 1) <> ':'
ORDER BY namespace, key
LIMIT :max_rows;

-- name: size()$
-- The number of stored counters: public ones (including expired ones that are not removed yet), and shared ones.
SELECT count(*) FROM counter;
