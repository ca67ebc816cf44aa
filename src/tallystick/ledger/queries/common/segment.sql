-- Segments of sites and of people; for both databases. Columns stand in the order of model.segment.Segment.

-- name: add_segment(id, site, name, owner, filters, created, updated)!
-- Store a new segment.
INSERT INTO segment (id, site, name, owner, filters, created, updated)
VALUES (:id, :site, :name, :owner, :filters, :created, :updated);

-- name: segments_of(site)
-- The segments of a site, those of all people.
SELECT id, site, name, owner, filters, created, updated FROM segment WHERE site = :site ORDER BY id;

-- name: change_segment(id, site, name, owner, filters, updated)!
-- Replace everything that can be changed about a segment.
UPDATE segment SET name = :name, owner = :owner, filters = :filters, updated = :updated
WHERE id = :id AND site = :site;

-- name: delete_segment(id, site)!
-- Delete a segment.
DELETE FROM segment WHERE id = :id AND site = :site;

-- name: delete_segments_of_site(site)!
-- Delete all segments of a deleted site.
DELETE FROM segment WHERE site = :site;

-- name: delete_segments_of_person(owner)!
-- Delete the segments of a deleted account's person.
DELETE FROM segment WHERE owner = :owner;
