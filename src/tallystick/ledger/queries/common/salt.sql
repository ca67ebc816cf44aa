-- Keys of the visitor hash; alike on both databases.

-- name: add_salt(started, salt)!
-- Begin a new span; where another server was first, its salt stays.
INSERT INTO salt (started, salt) VALUES (:started, :salt) ON CONFLICT (started) DO NOTHING;

-- name: newest_salts()
-- The salts that are in use, the newest first.
SELECT started, salt FROM salt ORDER BY started DESC LIMIT 2;

-- name: blank_salts(before, after, blank)!
-- Overwrite salts in place before they are deleted: a deleted row's bytes can stay in the file.
UPDATE salt SET salt = :blank WHERE started < :before OR started > :after;

-- name: delete_salts(before, after)!
-- Destroy salts that no session needs any more, and those of a clock that was ahead.
DELETE FROM salt WHERE started < :before OR started > :after;
