-- name: take_lease(holder, length, format)$
-- Take the lease if it has ended, unless hits wait in a newer format than this program knows. Returns the new epoch,
-- or NULL. Waits for a commit of the former holder in the lake. Lengths are milliseconds, times the database's.
WITH taken AS (
    UPDATE tallystick_hits.lease
    SET epoch = epoch + 1, holder = :holder, wanted_by = NULL,
        expires = clock_timestamp() + :length::integer * interval '1 millisecond'
    WHERE expires <= clock_timestamp()
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
-- End the lease.
UPDATE tallystick_hits.lease SET expires = clock_timestamp(), wanted_by = NULL WHERE epoch = :epoch;

-- name: want_lease(node)^
-- Ask the holder for the lease, and wake it.
WITH asked AS (UPDATE tallystick_hits.lease SET wanted_by = :node RETURNING 1)
SELECT pg_notify('tallystick_hits', '') FROM asked;

-- name: lease()^
-- Epoch and holder of the lease, whether it is valid, and the newest number of a move.
SELECT epoch, holder, expires > clock_timestamp(), moves FROM tallystick_hits.lease;
