-- name: paths_by_digest(site, digests)
-- The existing paths of a batch of hits; digests as a JSON array of hexadecimal text.
SELECT digest, id, title, counted FROM path
WHERE site = :site AND digest IN (SELECT unhex(value) FROM json_each(:digests));

-- name: create_paths(rows)!
-- Create the paths of a batch that are new; one that another server created meanwhile stays as it is.
INSERT INTO path (id, site, path, digest, title, event, counted)
SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5, value ->> 6
FROM json_each(:rows) WHERE true
ON CONFLICT DO NOTHING;

-- name: paths_by_id(site, ids)
-- Paths of a site, by a JSON array of ids.
SELECT id, path, title, event FROM path
WHERE site = :site AND id IN (SELECT value FROM json_each(:ids));

-- name: remove_paths(site, ids)!
-- Delete paths of a site, by a JSON array of ids; a job deletes or moves their hits.
DELETE FROM path WHERE site = :site AND id IN (SELECT value FROM json_each(:ids));

-- name: campaigns_by_digest(site, digests)
-- The existing campaigns of a batch of hits.
SELECT digest, id FROM campaign
WHERE site = :site AND digest IN (SELECT unhex(value) FROM json_each(:digests));

-- name: create_campaigns(rows)!
-- Create the campaigns of a batch that are new.
INSERT INTO campaign (id, site, name, digest)
SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3)
FROM json_each(:rows) WHERE true
ON CONFLICT DO NOTHING;

-- name: campaigns_by_id(site, ids)
-- Names of a site's campaigns, by a JSON array of ids.
SELECT id, name FROM campaign
WHERE site = :site AND id IN (SELECT value FROM json_each(:ids));

-- name: campaign_ids(site, digests)
-- Ids of a site's campaigns by their digests.
SELECT id FROM campaign
WHERE site = :site AND digest IN (SELECT unhex(value) FROM json_each(:digests))
ORDER BY id;
