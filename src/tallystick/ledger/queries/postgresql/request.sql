-- name: hold_request(number)$
-- Lock a keyed request until the end of the transaction; false if another server's transaction has locked it.
SELECT pg_try_advisory_xact_lock(:number::bigint);
