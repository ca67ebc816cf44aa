-- Owners of public counters; for both databases. Columns stand in the order of services.counting.owned.rows.

-- name: owner_of(lane, namespace, key)^
-- Who owns a counter, and its rules.
SELECT digest, account, label, origins, one_each, created
FROM owned_counter WHERE lane = :lane AND namespace = :namespace AND key = :key;

-- name: store_owner(lane, namespace, key, digest, account, label, origins, one_each, created)!
-- Store who owns a counter, new or in place of what was stored.
INSERT INTO owned_counter (lane, namespace, key, digest, account, label, origins, one_each, created)
VALUES (:lane, :namespace, :key, :digest, :account, :label, :origins, :one_each, :created)
ON CONFLICT (lane, namespace, key) DO UPDATE SET
    digest = excluded.digest, account = excluded.account, label = excluded.label, origins = excluded.origins,
    one_each = excluded.one_each, created = excluded.created;

-- name: forget_owner(lane, namespace, key)!
-- Remove the owner of a counter that is deleted.
DELETE FROM owned_counter WHERE lane = :lane AND namespace = :namespace AND key = :key;

-- name: owned_by(account, namespace, key, max_rows)
-- The next counters of an account by name: a range of an index.
SELECT namespace, key, digest, account, label, origins, one_each, created
FROM owned_counter
WHERE account = :account AND (namespace, key) > (:namespace, :key)
ORDER BY namespace, key LIMIT :max_rows;

-- name: count_owned_by(account)$
-- The number of an account's counters.
SELECT count(*) FROM owned_counter WHERE account = :account;

-- name: leave_owned_counters(account)!
-- Leave the counters of an account that is deleted without an owner; they stay.
UPDATE owned_counter SET account = NULL WHERE account = :account;

-- name: reservation_of(namespace)$
-- The site whose owner alone creates counters in a namespace; null if everybody does.
SELECT site FROM reserved_namespace WHERE namespace = :namespace;

-- name: reservations()
-- All reserved namespaces by name, each with its site.
SELECT namespace, site FROM reserved_namespace ORDER BY namespace;

-- name: reserve_namespace(namespace, site, created)!
-- Reserve a namespace for the owner of a site; it may have been reserved for a site that had the name before.
INSERT INTO reserved_namespace (namespace, site, created) VALUES (:namespace, :site, :created)
ON CONFLICT (namespace) DO UPDATE SET site = excluded.site;

-- name: release_namespace(namespace)!
-- Let everybody create counters in a namespace again.
DELETE FROM reserved_namespace WHERE namespace = :namespace;

-- name: release_namespaces_of(site)!
-- The same for all namespaces of a site that is deleted.
DELETE FROM reserved_namespace WHERE site = :site;

-- name: copy_hours(lane, namespace, key, old_lane, old_namespace, old_key)!
-- Give the past hours of a counter that is renamed to its new name as well. Rows never change their lane.
INSERT INTO counter_hour (lane, namespace, key, hour, base)
SELECT :lane, :namespace, :key, hour, base FROM counter_hour
WHERE lane = :old_lane AND namespace = :old_namespace AND key = :old_key;

-- name: copy_milestones(lane, namespace, key, old_lane, old_namespace, old_key)!
-- The same for what it has risen to.
INSERT INTO counter_milestone (lane, namespace, key, value, at)
SELECT :lane, :namespace, :key, value, at FROM counter_milestone
WHERE lane = :old_lane AND namespace = :old_namespace AND key = :old_key;

-- name: copy_owner(lane, namespace, key, old_lane, old_namespace, old_key)!
-- The same for its owner.
INSERT INTO owned_counter (lane, namespace, key, digest, account, label, origins, one_each, created)
SELECT :lane, :namespace, :key, digest, account, label, origins, one_each, created FROM owned_counter
WHERE lane = :old_lane AND namespace = :old_namespace AND key = :old_key;

-- name: copy_seen(lane, namespace, key, old_lane, old_namespace, old_key)!
-- The same for the visitors that it has counted.
INSERT INTO counter_seen (lane, namespace, key, visitor, until)
SELECT :lane, :namespace, :key, visitor, until FROM counter_seen
WHERE lane = :old_lane AND namespace = :old_namespace AND key = :old_key;

-- name: seen_until(lane, namespace, key, visitor)$
-- Until when a visitor is not counted again by a counter; null if never counted.
SELECT until FROM counter_seen
WHERE lane = :lane AND namespace = :namespace AND key = :key AND visitor = :visitor;

-- name: note_visitor(lane, namespace, key, visitor, until)!
-- Note that a counter has counted a visitor.
INSERT INTO counter_seen (lane, namespace, key, visitor, until)
VALUES (:lane, :namespace, :key, :visitor, :until)
ON CONFLICT (lane, namespace, key, visitor) DO UPDATE SET until = excluded.until;

-- name: first_seen_until()$
-- When the first visitor may be counted again; null without any. One step in an index.
SELECT min(until) FROM counter_seen;

-- name: forget_seen(now, max_rows)!
-- Remove some visitors who may be counted again.
DELETE FROM counter_seen WHERE (lane, namespace, key, visitor) IN (
    SELECT lane, namespace, key, visitor FROM counter_seen WHERE until <= :now LIMIT :max_rows);

-- name: forget_seen_by(lane, namespace, key)!
-- Remove the visitors of a counter that is deleted.
DELETE FROM counter_seen WHERE lane = :lane AND namespace = :namespace AND key = :key;
