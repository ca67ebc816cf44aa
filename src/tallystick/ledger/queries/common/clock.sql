-- Instants by which a wrong clock is noticed; alike on both databases.

-- name: clock_marks()
-- All of them.
SELECT name, at FROM clock_mark;

-- name: set_clock_mark(name, at)!
-- Remember an instant.
INSERT INTO clock_mark (name, at) VALUES (:name, :at) ON CONFLICT (name) DO UPDATE SET at = excluded.at;
