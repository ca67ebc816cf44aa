-- Keys of the visitor hash; for both databases.

-- name: add_salt(started, salt)!
-- Store the salt of a new span; if another server stored one first, that one stays.
INSERT INTO salt (started, salt) VALUES (:started, :salt) ON CONFLICT (started) DO NOTHING;

-- name: newest_salts()
-- The salts in use, newest first.
SELECT started, salt FROM salt ORDER BY started DESC LIMIT 2;

-- name: blank_salts(before, after, blank)!
-- Overwrite salts in place before they are deleted: a deleted row's bytes can stay in the file.
UPDATE salt SET salt = :blank WHERE started < :before OR started > :after;

-- name: delete_salts(before, after)!
-- Delete salts that no session needs any more, and those created by a clock that was ahead.
DELETE FROM salt WHERE started < :before OR started > :after;
