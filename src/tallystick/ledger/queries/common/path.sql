-- Paths, one at a time; for both databases.

-- name: list_campaigns(site, after, max_rows)
-- The next campaigns of a site, by id.
SELECT id, name FROM campaign WHERE site = :site AND id > :after ORDER BY id LIMIT :max_rows;

-- name: list_paths(site, after, max_rows)
-- The next paths of a site that have hits of people, by id.
SELECT id, path, title, event FROM path
WHERE site = :site AND id > :after AND counted = 1
ORDER BY id
LIMIT :max_rows;

-- name: every_path(site, after, max_rows)
-- The next paths of a site, by id; also those that only bots or events have.
SELECT id, path, title, event FROM path
WHERE site = :site AND id > :after
ORDER BY id
LIMIT :max_rows;

-- name: found_path_ids(site, counted, event, pattern, typed)
-- Ids of a site's paths whose name is like a pattern in lower case, or as typed: SQLite lowers ASCII only.
-- An event of -1 stands for pages and events.
SELECT id FROM path
WHERE site = :site AND counted = :counted AND (CAST(:event AS bigint) < 0 OR event = CAST(:event AS bigint))
  AND (lower(path) LIKE :pattern ESCAPE '!' OR path LIKE :typed ESCAPE '!')
ORDER BY id;

-- name: found_path_ids_by_name(site, counted, event, pattern, typed)
-- The same in the order of the names.
SELECT id FROM path
WHERE site = :site AND counted = :counted AND (CAST(:event AS bigint) < 0 OR event = CAST(:event AS bigint))
  AND (lower(path) LIKE :pattern ESCAPE '!' OR path LIKE :typed ESCAPE '!')
ORDER BY lower(path), id;

-- name: count_path(id)!
-- Record that a path, until now requested only by bots, has a hit of a person.
UPDATE path SET counted = 1 WHERE id = :id;

-- name: title_path(id, title)!
-- Change a path's title.
UPDATE path SET title = :title WHERE id = :id;

-- name: rename_path(site, id, path, digest)$
-- Rename a path.
UPDATE path SET path = :path, digest = :digest WHERE site = :site AND id = :id RETURNING id;
