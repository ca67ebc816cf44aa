-- name: take_place(digest, weight, seconds)^
-- Count a request in the window of a limit, which begins with the first one. Returns what it counted before, and the
-- seconds until it is over.
INSERT INTO limit_window AS stored (digest, used, ends)
VALUES (:digest, :weight, clock_timestamp() + :seconds::double precision * interval '1 second')
ON CONFLICT (digest) DO UPDATE SET
    used = excluded.used + CASE
        WHEN stored.ends > excluded.ends - :seconds::double precision * interval '1 second' THEN stored.used ELSE 0 END,
    ends = CASE
        WHEN stored.ends > excluded.ends - :seconds::double precision * interval '1 second' THEN stored.ends
        ELSE excluded.ends END
RETURNING used - :weight, extract(epoch FROM ends - clock_timestamp())::double precision;

-- name: places_taken(digest)^
-- What a window has counted, and the seconds until it is over; no row if there is none.
SELECT used, extract(epoch FROM ends - clock_timestamp())::double precision
FROM limit_window WHERE digest = :digest AND ends > clock_timestamp();

-- name: forget_windows()!
-- Remove windows that are over.
DELETE FROM limit_window WHERE ends <= clock_timestamp();

-- name: add_limit_report(server, uses)!
-- Tell the other servers what this one has admitted.
INSERT INTO limit_report (server, uses) VALUES (:server, :uses);

-- name: limit_reports(server, seen, seconds)
-- What other servers have reported within some seconds, but for reports that were read; numbers as a JSON array.
SELECT number, uses FROM limit_report
WHERE made > clock_timestamp() - :seconds::double precision * interval '1 second'
  AND server <> :server
  AND number <> ALL (ARRAY(SELECT value::bigint FROM json_array_elements_text(:seen::json)));

-- name: forget_limit_reports(seconds)!
-- Remove reports that every server has read.
DELETE FROM limit_report WHERE made <= clock_timestamp() - :seconds::double precision * interval '1 second';
