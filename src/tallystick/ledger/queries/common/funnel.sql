-- Funnels of sites; for both databases. Columns stand in the order of model.funnel.Funnel.

-- name: add_funnel(id, site, name, folded, steps, strict, created, updated)!
-- Store a new funnel.
INSERT INTO funnel (id, site, name, folded, steps, strict, created, updated)
VALUES (:id, :site, :name, :folded, :steps, :strict, :created, :updated);

-- name: funnels_of(site)
-- The funnels of a site.
SELECT id, site, name, steps, strict, created, updated FROM funnel WHERE site = :site ORDER BY id;

-- name: change_funnel(id, site, name, folded, steps, strict, updated)!
-- Replace everything that can be changed about a funnel.
UPDATE funnel SET name = :name, folded = :folded, steps = :steps, strict = :strict, updated = :updated
WHERE id = :id AND site = :site;

-- name: delete_funnel(id, site)!
-- Delete a funnel.
DELETE FROM funnel WHERE id = :id AND site = :site;

-- name: delete_funnels_of_site(site)!
-- Delete all funnels of a deleted site.
DELETE FROM funnel WHERE site = :site;
