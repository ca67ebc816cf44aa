-- name: take_lease(holder, length, format, schema)$
-- Take the lease if it has ended, unless the lake has a newer schema than this program knows, or hits wait in a newer
-- format. For two seconds it is left to the node that asked for it. Returns the new epoch, or NULL. Waits for a commit
-- of the former holder in the lake. Lengths are milliseconds, times the database's.
WITH taken AS (
    UPDATE tallystick_hits.lease
    SET epoch = epoch + 1, holder = :holder, wanted_by = NULL,
        expires = clock_timestamp() + :length::integer * interval '1 millisecond'
    WHERE expires <= clock_timestamp()
      AND (wanted_by IS NULL OR wanted_by = :holder OR expires <= clock_timestamp() - interval '2 seconds')
      AND lease.schema <= :schema
      AND NOT EXISTS (SELECT 1 FROM tallystick_hits.batch WHERE format > :format)
    RETURNING epoch
)
UPDATE tallystick_hits.fence SET epoch = taken.epoch FROM taken RETURNING fence.epoch;

-- name: extend_lease(epoch, length)^
-- Extend the lease, if no other node has taken it. Returns the node that wants it, or NULL; no row when it is lost.
UPDATE tallystick_hits.lease
SET expires = clock_timestamp() + :length::integer * interval '1 millisecond'
WHERE epoch = :epoch
RETURNING wanted_by;

-- name: release_lease(epoch)!
-- End the lease, for the node that wants it if there is one.
UPDATE tallystick_hits.lease SET expires = clock_timestamp() WHERE epoch = :epoch;

-- name: want_lease(node, format, schema)^
-- Ask the holder for the lease, and wake it. No row where this program could not take it; see ``take_lease``.
WITH asked AS (
    UPDATE tallystick_hits.lease SET wanted_by = :node
    WHERE lease.schema <= :schema AND NOT EXISTS (SELECT 1 FROM tallystick_hits.batch WHERE format > :format)
    RETURNING 1
)
SELECT pg_notify('tallystick_hits', '') FROM asked;

-- name: lease()^
-- Epoch and holder of the lease, whether it is valid, the newest number of a move, and the lake's schema; an older
-- table has no such column.
SELECT epoch, holder, expires > clock_timestamp(), moves, coalesce((to_jsonb(lease) ->> 'schema')::integer, 0)
FROM tallystick_hits.lease;
