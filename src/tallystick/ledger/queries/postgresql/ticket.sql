-- name: add_ticket(digest, token, prefix, origin, seconds, at_most)!
-- Store a ticket, unless there are that many already. Returns 1 on success.
INSERT INTO ticket (digest, token, prefix, origin, ends)
SELECT :digest, :token, :prefix, :origin, clock_timestamp() + :seconds::double precision * interval '1 second'
WHERE (SELECT count(*) FROM (SELECT 1 FROM ticket LIMIT :at_most) AS counted) < :at_most;

-- name: spend_ticket(digest)^
-- Remove a ticket, and return it if it is still valid by the database's clock.
WITH spent AS (
    DELETE FROM ticket WHERE digest = :digest RETURNING token, prefix, origin, ends
)
SELECT token, prefix, origin FROM spent WHERE ends > clock_timestamp();

-- name: forget_tickets()!
-- Remove tickets that are not valid any more.
DELETE FROM ticket WHERE ends <= clock_timestamp();
