-- name: lease(name)^
-- The holder of a lease, and whether the lease is still valid by the database's clock.
SELECT holder, instance, valid_until > clock_timestamp() FROM lease WHERE name = :name;

-- name: take_lease(name, holder, instance, starts, length)$
-- Take a lease that is free or ours, or extend it. Returns 1 on success. ``length`` is milliseconds.
WITH taken AS (
    INSERT INTO lease (name, holder, instance, valid_until)
    VALUES (:name, :holder, :instance, clock_timestamp() + :length::integer * interval '1 millisecond')
    ON CONFLICT (name) DO UPDATE
    SET holder = excluded.holder, instance = excluded.instance, valid_until = excluded.valid_until
    WHERE lease.valid_until <= clock_timestamp()
       OR lease.instance = excluded.instance
       OR (:starts::boolean AND lease.holder = excluded.holder)
    RETURNING 1
)
SELECT count(*) FROM taken;
