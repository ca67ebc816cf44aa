-- Analytics sites; for both databases. Columns stand in the order of model.site.Site.

-- name: add_site(id, parent, cname, cname_setup, code, link_domain, settings, user_defaults, domain, created)!
-- Store a new site, without hits.
INSERT INTO site (id, parent, cname, cname_setup, code, link_domain, settings, user_defaults, received_data, state,
                  created, first_hit, domain)
VALUES (:id, :parent, :cname, :cname_setup, :code, :link_domain, :settings, :user_defaults, 0, 'a', :created, :created,
        :domain);

-- name: site_by_id(id)^
-- One site, in any state.
SELECT id, parent, cname, cname_setup, code, link_domain, settings, user_defaults, received_data, state, created,
       updated, first_hit, domain
FROM site WHERE id = :id;

-- name: active_sites()
-- Every site that is not being deleted.
SELECT id, parent, cname, cname_setup, code, link_domain, settings, user_defaults, received_data, state, created,
       updated, first_hit, domain
FROM site WHERE state = 'a' ORDER BY id;

-- name: active_sites_after(after, max_rows)
-- The next sites that are not being deleted, by id.
SELECT id, parent, cname, cname_setup, code, link_domain, settings, user_defaults, received_data, state, created,
       updated, first_hit, domain
FROM site WHERE state = 'a' AND id > :after ORDER BY id LIMIT :max_rows;

-- name: taken_by(id, cname, cname_domain, code, domain)^
-- How many other sites have the Host (as theirs or, without www., as their domain), the code, and the domain (as theirs
-- or, also behind www., as their Host). Empty ones count as 0.
SELECT coalesce(sum(CASE WHEN cname = :cname OR (domain <> '' AND domain = :cname_domain) THEN 1 ELSE 0 END), 0),
       coalesce(sum(CASE WHEN code = :code THEN 1 ELSE 0 END), 0),
       coalesce(sum(CASE WHEN :domain <> '' AND (domain = :domain OR cname = :domain OR cname = 'www.' || :domain)
                         THEN 1 ELSE 0 END), 0)
FROM site WHERE id <> :id;

-- name: change_site(id, cname, cname_setup, code, link_domain, settings, user_defaults, domain, updated)!
-- Replace everything that can be changed about a site.
UPDATE site SET cname = :cname, cname_setup = :cname_setup, code = :code, link_domain = :link_domain,
                settings = :settings, user_defaults = :user_defaults, domain = :domain, updated = :updated
WHERE id = :id;

-- name: note_hits(id, first_hit)!
-- Record that a site has hits, and the time of the first.
UPDATE site SET received_data = 1, first_hit = CASE WHEN :first_hit < first_hit THEN :first_hit ELSE first_hit END
WHERE id = :id;

-- name: mark_deleted(id, code, updated)!
-- Mark a site as deleted: other sites can have its Host, code and domain at once.
UPDATE site SET state = 'd', cname = NULL, code = :code, domain = '', updated = :updated WHERE id = :id;

-- name: site_hosts()
-- All additional hosts for which sites count.
SELECT host, site FROM site_host ORDER BY host;

-- name: add_site_host(host, site, added)!
-- Add a host to a site; if another site already has the host, it keeps it.
INSERT INTO site_host (host, site, added) VALUES (:host, :site, :added) ON CONFLICT (host) DO NOTHING;

-- name: delete_site_host(host, site)$
-- Remove a host from a site. Returns the host, or no row if the site did not have it.
DELETE FROM site_host WHERE host = :host AND site = :site RETURNING host;

-- name: delete_site_hosts(site)!
-- Remove all hosts of a deleted site.
DELETE FROM site_host WHERE site = :site;

-- name: unknown_hosts()
-- Requested hosts that no site has, the latest first.
SELECT host, requests, first, last FROM unknown_host ORDER BY last DESC, host;

-- name: add_unknown_host(host, requests, now)!
-- Add requests for a host that no site has.
INSERT INTO unknown_host (host, requests, first, last) VALUES (:host, :requests, :now, :now)
ON CONFLICT (host) DO UPDATE SET requests = unknown_host.requests + excluded.requests, last = excluded.last;

-- name: delete_unknown_host(host)!
-- Remove a host that a site has now.
DELETE FROM unknown_host WHERE host = :host;

-- name: trim_unknown_hosts(before, kept)!
-- Remove hosts last requested before a time, and all but the newest.
DELETE FROM unknown_host WHERE last < :before OR host NOT IN (
    SELECT host FROM unknown_host ORDER BY last DESC, host LIMIT :kept
);
