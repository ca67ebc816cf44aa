-- The history of public counters; for both databases. See also the databases' own files of this name.

-- name: past_hours(lane, namespace, key, since)
-- The hours of a counter from one on that are over, and its value at the start of each.
SELECT hour, base FROM counter_hour
WHERE lane = :lane AND namespace = :namespace AND key = :key AND hour >= :since
ORDER BY hour;

-- name: milestones(lane, namespace, key)
-- What a counter has risen to, and when.
SELECT value, at FROM counter_milestone
WHERE lane = :lane AND namespace = :namespace AND key = :key
ORDER BY value;

-- name: thinned_through(lane)^
-- Up to which hours the history of a lane is thinned out to days and to months.
SELECT days, months FROM counter_thinning WHERE lane = :lane;

-- name: note_thinned(lane, days, months)!
-- Record that the history of all counters of a lane is thinned out.
INSERT INTO counter_thinning (lane, days, months) VALUES (:lane, :days, :months)
ON CONFLICT (lane) DO UPDATE SET days = excluded.days, months = excluded.months;
