-- Times used to detect a wrong clock; for both databases.

-- name: clock_marks()
-- All stored times.
SELECT name, at FROM clock_mark;

-- name: set_clock_mark(name, at)!
-- Store a time.
INSERT INTO clock_mark (name, at) VALUES (:name, :at) ON CONFLICT (name) DO UPDATE SET at = excluded.at;
