-- name: load(lane, keys)
-- Lock and read the existing counters of one lane's batch. Locked in key order on every server, so that
-- two batches can wait for each other in one direction only.
SELECT counter.namespace, counter.key, counter.value, counter.lower, counter.upper,
       counter.resettable, counter.created, counter.expires, counter.version, counter.hour, counter.base, counter.flags
FROM counter
JOIN json_to_recordset(:keys::json) AS wanted (namespace text, key text)
  ON counter.namespace = wanted.namespace AND counter.key = wanted.key
WHERE counter.lane = :lane
ORDER BY counter.namespace, counter.key
FOR UPDATE OF counter;

-- name: find(keys)
-- Read counters of any lane without locking them.
SELECT counter.namespace, counter.key, counter.value, counter.lower, counter.upper,
       counter.resettable, counter.created, counter.expires, counter.version, counter.hour, counter.base, counter.flags
FROM json_to_recordset(:keys::json) AS wanted (lane smallint, namespace text, key text)
JOIN counter ON counter.lane = wanted.lane
  AND counter.namespace = wanted.namespace AND counter.key = wanted.key;

-- name: save(lane, rows)$
-- Store the changed counters of one lane's batch. Returns how many were stored. Existing rows are
-- locked already. New rows never touch an existing one: a creation that lost a race stores one row
-- less, and the batch is run again. (DO UPDATE would wait for a row lock here, and could deadlock.)
WITH changed AS (
    SELECT * FROM json_to_recordset(:rows::json) AS row (
        known boolean, namespace text, key text, value bigint, lower bigint, upper bigint,
        resettable boolean, created bigint, expires bigint, version bigint, hour integer, base bigint, flags smallint)
), updated AS (
    UPDATE counter SET
        value = changed.value, lower = changed.lower, upper = changed.upper,
        resettable = changed.resettable, created = changed.created,
        expires = changed.expires, version = changed.version, hour = changed.hour, base = changed.base,
        flags = changed.flags
    FROM changed
    WHERE changed.known AND counter.lane = :lane
      AND counter.namespace = changed.namespace AND counter.key = changed.key
    RETURNING 1
), inserted AS (
    INSERT INTO counter (
        lane, namespace, key, value, lower, upper, resettable, created, expires, version, hour, base, flags)
    SELECT :lane, namespace, key, value, lower, upper, resettable, created, expires, version, hour, base, flags
    FROM changed WHERE NOT known
    ORDER BY namespace COLLATE "C", key COLLATE "C"
    ON CONFLICT (lane, namespace, key) DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM updated) + (SELECT count(*) FROM inserted);

-- name: save_counted(lane, rows)!
-- Store counters of one lane's batch that exist and differ in value, expiry and version alone, as nearly all do. Their
-- rows are locked already.
UPDATE counter SET value = changed.value, expires = changed.expires, version = changed.version
FROM json_to_recordset(:rows::json) AS changed (
    namespace text, key text, value bigint, expires bigint, version bigint)
WHERE counter.lane = :lane AND counter.namespace = changed.namespace AND counter.key = changed.key;

-- name: remove(lane, keys)!
-- Remove the counters of a lane's batch that its operations deleted; they are locked already.
DELETE FROM counter USING json_to_recordset(:keys::json) AS gone (namespace text, key text)
WHERE counter.lane = :lane AND counter.namespace = gone.namespace AND counter.key = gone.key;

-- name: page(lane, namespace, key, max_rows)
-- The next counters in storage order after the given one: a range of the primary key, at constant cost.
SELECT namespace, key, value, lower, upper, resettable, created, expires, version, hour, base, flags
FROM counter
WHERE (lane, namespace, key) > (:lane::smallint, :namespace::text, :key::text)
ORDER BY lane, namespace, key
LIMIT :max_rows;

-- name: between(lane, namespace, key, until_namespace, until_key, max_rows)
-- The first counters of a lane from one name on and before another: a range of the primary key, at constant cost.
SELECT namespace, key, value, lower, upper, resettable, created, expires, version, hour, base, flags
FROM counter
WHERE lane = :lane::smallint AND (namespace, key) >= (:namespace::text, :key::text)
  AND (namespace, key) < (:until_namespace::text, :until_key::text)
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
