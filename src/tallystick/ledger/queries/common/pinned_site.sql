-- Sites that people have pinned; for both databases.

-- name: pin_site(account, site)!
-- Pin a site; again does nothing.
INSERT INTO pinned_site (account, site) VALUES (:account, :site) ON CONFLICT DO NOTHING;

-- name: unpin_site(account, site)!
-- No longer pin a site.
DELETE FROM pinned_site WHERE account = :account AND site = :site;

-- name: pinned_sites(account)
-- The sites that a person has pinned.
SELECT site FROM pinned_site WHERE account = :account;

-- name: delete_pins_of_site(site)!
-- Delete the pins of a deleted site.
DELETE FROM pinned_site WHERE site = :site;

-- name: delete_pins_of_person(account)!
-- Delete the pins of a deleted account's person.
DELETE FROM pinned_site WHERE account = :account;
