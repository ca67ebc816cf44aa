-- name: put_upload(server, upload, working, seconds)$
-- Store a file in place of the one before, unless another server is reading that. Returns 1 on success.
WITH stored AS (
    INSERT INTO counter_upload (server, upload, seen) VALUES (:server, :upload, clock_timestamp())
    ON CONFLICT (one) DO UPDATE SET server = excluded.server, upload = excluded.upload, begins = false, seen = excluded.seen
    WHERE counter_upload.server = excluded.server
       OR NOT (counter_upload.upload::json ->> 'state' = ANY (:working::text[]))
       OR counter_upload.seen < excluded.seen - :seconds::double precision * interval '1 second'
    RETURNING 1
)
SELECT count(*) FROM stored;

-- name: note_upload(server, upload)^
-- Store the state of a server's own file. Returns whether it is to be imported; no row if it is not the newest any more.
WITH before AS (
    SELECT begins FROM counter_upload WHERE server = :server FOR UPDATE
), stored AS (
    UPDATE counter_upload SET upload = CASE WHEN begins THEN upload ELSE :upload END, begins = false, seen = clock_timestamp()
    WHERE server = :server
)
SELECT begins FROM before;

-- name: newest_upload(seconds)^
-- The newest file, its server, and whether that has written the row within some seconds.
SELECT server, upload, seen > clock_timestamp() - :seconds::double precision * interval '1 second' FROM counter_upload;

-- name: begin_upload(server, upload)!
-- Ask the server that has a file to import it. Returns 1 on success.
UPDATE counter_upload SET begins = true, upload = :upload WHERE server = :server;

-- name: take_upload(server, gone, seconds)!
-- Take over the file of a server that has not written the row within some seconds. Returns 1 on success.
UPDATE counter_upload SET server = :server, seen = clock_timestamp()
WHERE server = :gone AND seen <= clock_timestamp() - :seconds::double precision * interval '1 second';

-- name: forget_upload()!
-- Forget the newest file.
DELETE FROM counter_upload;
