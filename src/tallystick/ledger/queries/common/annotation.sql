-- Annotations of sites and of people; for both databases. Columns stand in the order of model.annotation.Annotation.

-- name: add_annotation(id, site, at, text, link, kind, owner, created, updated)!
-- Store a new annotation.
INSERT INTO annotation (id, site, at, text, link, kind, owner, created, updated)
VALUES (:id, :site, :at, :text, :link, :kind, :owner, :created, :updated);

-- name: annotation_by_id(id, site)^
-- One annotation of a site.
SELECT id, site, at, text, link, kind, owner, created, updated FROM annotation WHERE id = :id AND site = :site;

-- name: annotations_between(site, account, first, after, kind, after_at, after_id, max_rows)
-- The annotations of a site, and a person's own there, from a date to before another; of one kind unless it is empty;
-- those behind the place (after_at, after_id).
SELECT id, site, at, text, link, kind, owner, created, updated FROM annotation
WHERE site = :site AND (owner IS NULL OR owner = :account) AND at >= :first AND at < :after
      AND (kind = :kind OR :kind = '') AND (at > :after_at OR (at = :after_at AND id > :after_id))
ORDER BY at, id LIMIT :max_rows;

-- name: count_notes(site, owner)^
-- How many annotations by people are the site's, and how many a person's own.
SELECT coalesce(sum(CASE WHEN owner IS NULL THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN owner = :owner THEN 1 ELSE 0 END), 0)
FROM annotation WHERE site = :site AND kind = 'note';

-- name: change_annotation(id, site, at, text, link, owner, updated)!
-- Replace everything that can be changed about an annotation.
UPDATE annotation SET at = :at, text = :text, link = :link, owner = :owner, updated = :updated
WHERE id = :id AND site = :site;

-- name: delete_annotation(id, site)!
-- Delete an annotation.
DELETE FROM annotation WHERE id = :id AND site = :site;

-- name: trim_server_annotations(site, kept)!
-- Delete all annotations by the server but the newest.
DELETE FROM annotation WHERE site = :site AND kind <> 'note' AND id NOT IN (
    SELECT id FROM annotation WHERE site = :site AND kind <> 'note' ORDER BY id DESC LIMIT :kept
);

-- name: delete_annotations_of_site(site)!
-- Delete all annotations of a deleted site.
DELETE FROM annotation WHERE site = :site;

-- name: delete_annotations_of_person(owner)!
-- Delete the annotations of a deleted account's person.
DELETE FROM annotation WHERE owner = :owner;

-- name: seen_versions()
-- The versions that were last seen at a start.
SELECT part, version FROM seen_version;

-- name: set_seen_version(part, version)!
-- Store the version of a part.
INSERT INTO seen_version (part, version) VALUES (:part, :version)
ON CONFLICT (part) DO UPDATE SET version = excluded.version;
