-- name: add_totals(lane, keys_created, keys_updated, requests)!
-- Add the totals of a batch, in its own transaction and last: a transaction that holds this row's
-- lock waits for no other.
INSERT INTO counting_total AS total (lane, keys_created, keys_updated, requests, commits)
VALUES (:lane, :keys_created, :keys_updated, :requests, 1)
ON CONFLICT (lane) DO UPDATE SET
    keys_created = total.keys_created + excluded.keys_created,
    keys_updated = total.keys_updated + excluded.keys_updated,
    requests = total.requests + excluded.requests,
    commits = total.commits + 1;

-- name: totals()^
-- The totals since the beginning.
SELECT coalesce(sum(keys_created), 0)::bigint, coalesce(sum(keys_updated), 0)::bigint,
       coalesce(sum(requests), 0)::bigint
FROM counting_total;
