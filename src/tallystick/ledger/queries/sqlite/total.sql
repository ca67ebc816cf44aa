-- name: add_totals(lane, keys_created, keys_updated, requests)!
-- Add the totals of a batch, in its own transaction.
INSERT INTO counting_total (lane, keys_created, keys_updated, requests, commits)
VALUES (:lane, :keys_created, :keys_updated, :requests, 1)
ON CONFLICT (lane) DO UPDATE SET
    keys_created = keys_created + excluded.keys_created,
    keys_updated = keys_updated + excluded.keys_updated,
    requests = requests + excluded.requests,
    commits = commits + 1;

-- name: totals()^
-- The totals since the beginning.
SELECT coalesce(sum(keys_created), 0), coalesce(sum(keys_updated), 0), coalesce(sum(requests), 0)
FROM counting_total;
