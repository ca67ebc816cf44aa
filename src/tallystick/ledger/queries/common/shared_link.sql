-- Shared links of sites; for both databases. Columns stand in the order of model.shared_link.SharedLink.

-- name: add_shared_link(id, site, name, folded, digest, expires, password, filters, panels, created_by, created, updated)!
-- Store a new shared link.
INSERT INTO shared_link (id, site, name, folded, digest, expires, password, filters, panels, created_by, created, updated)
VALUES (:id, :site, :name, :folded, :digest, :expires, :password, :filters, :panels, :created_by, :created, :updated);

-- name: shared_links_of(site)
-- The shared links of a site.
SELECT id, site, name, digest, expires, password, filters, panels, created_by, created, updated, used
FROM shared_link WHERE site = :site ORDER BY id;

-- name: shared_link_by_digest(digest)^
-- The shared link whose secret has a digest.
SELECT id, site, name, digest, expires, password, filters, panels, created_by, created, updated, used
FROM shared_link WHERE digest = :digest;

-- name: change_shared_link(id, site, name, folded, expires, password, filters, panels, updated)!
-- Replace everything that can be changed about a shared link.
UPDATE shared_link SET name = :name, folded = :folded, expires = :expires, password = :password, filters = :filters,
    panels = :panels, updated = :updated
WHERE id = :id AND site = :site;

-- name: note_shared_link_used(id, used)!
-- Store when a shared link was last used.
UPDATE shared_link SET used = :used WHERE id = :id;

-- name: delete_shared_link(id, site)!
-- Delete a shared link.
DELETE FROM shared_link WHERE id = :id AND site = :site;

-- name: delete_shared_links_of_site(site)!
-- Delete all shared links of a deleted site.
DELETE FROM shared_link WHERE site = :site;
