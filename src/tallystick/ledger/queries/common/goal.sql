-- Goals of sites; for both databases. Columns stand in the order of model.goal.Goal.

-- name: add_goal(id, site, name, folded, page, event, props, created, updated)!
-- Store a new goal.
INSERT INTO goal (id, site, name, folded, page, event, props, created, updated)
VALUES (:id, :site, :name, :folded, :page, :event, :props, :created, :updated);

-- name: goals_of(site)
-- The goals of a site.
SELECT id, site, name, page, event, props, created, updated FROM goal WHERE site = :site ORDER BY id;

-- name: change_goal(id, site, name, folded, page, event, props, updated)!
-- Replace everything that can be changed about a goal.
UPDATE goal SET name = :name, folded = :folded, page = :page, event = :event, props = :props, updated = :updated
WHERE id = :id AND site = :site;

-- name: delete_goal(id, site)!
-- Delete a goal.
DELETE FROM goal WHERE id = :id AND site = :site;

-- name: delete_goals_of_site(site)!
-- Delete all goals of a deleted site.
DELETE FROM goal WHERE site = :site;
