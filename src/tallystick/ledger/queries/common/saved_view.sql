-- Saved views of sites and of people; for both databases. Columns stand in the order of model.saved_view.SavedView.

-- name: add_saved_view(id, site, name, owner, query, created, updated)!
-- Store a new view.
INSERT INTO saved_view (id, site, name, owner, query, created, updated)
VALUES (:id, :site, :name, :owner, :query, :created, :updated);

-- name: saved_views_of(site)
-- The views of a site, those of all people.
SELECT id, site, name, owner, query, created, updated FROM saved_view WHERE site = :site ORDER BY id;

-- name: change_saved_view(id, site, name, owner, updated)!
-- Replace what can be changed about a view.
UPDATE saved_view SET name = :name, owner = :owner, updated = :updated WHERE id = :id AND site = :site;

-- name: delete_saved_view(id, site)!
-- Delete a view.
DELETE FROM saved_view WHERE id = :id AND site = :site;

-- name: delete_saved_views_of_site(site)!
-- Delete all views of a deleted site.
DELETE FROM saved_view WHERE site = :site;

-- name: delete_saved_views_of_person(owner)!
-- Delete the views of a deleted account's person.
DELETE FROM saved_view WHERE owner = :owner;
