-- Paths, one at a time; alike on both databases.

-- name: list_paths(site, after, max_rows)
-- The next paths of a site that people have asked for, by id.
SELECT id, path, title, event FROM path
WHERE site = :site AND id > :after AND counted = 1
ORDER BY id
LIMIT :max_rows;

-- name: count_path(id)!
-- A person's hit came to a path that only bots had asked for.
UPDATE path SET counted = 1 WHERE id = :id;

-- name: title_path(id, title)!
-- Give a path another title.
UPDATE path SET title = :title WHERE id = :id;

-- name: rename_path(site, id, path, digest)$
-- Give a path another name.
UPDATE path SET path = :path, digest = :digest WHERE site = :site AND id = :id RETURNING id;
