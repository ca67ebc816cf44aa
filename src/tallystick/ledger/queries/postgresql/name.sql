-- name: paths_by_digest(site, digests)
-- The existing paths of a batch of hits; digests as a JSON array of hexadecimal text.
SELECT digest, id, title, counted FROM path
WHERE site = :site
  AND digest = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text(:digests::json)));

-- name: create_paths(rows)!
-- Create the paths of a batch that are new; one that another server created meanwhile stays as it is.
-- In the order of their digests on every server, so that two batches wait for each other in one direction only.
INSERT INTO path (id, site, path, digest, title, event, counted)
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, value ->> 2, decode(value ->> 3, 'hex') AS digest, value ->> 4,
       (value ->> 5)::bigint, (value ->> 6)::bigint
FROM json_array_elements(:rows::json)
ORDER BY digest
ON CONFLICT DO NOTHING;

-- name: paths_by_id(site, ids)
-- Paths of a site, by a JSON array of ids.
SELECT id, path, title, event FROM path
WHERE site = :site AND id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:ids::json)));

-- name: remove_paths(site, ids)!
-- Delete paths of a site, by a JSON array of ids; a job deletes or moves their hits.
DELETE FROM path
WHERE site = :site AND id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:ids::json)));

-- name: campaigns_by_digest(site, digests)
-- The existing campaigns of a batch of hits.
SELECT digest, id FROM campaign
WHERE site = :site
  AND digest = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text(:digests::json)));

-- name: create_campaigns(rows)!
-- Create the campaigns of a batch that are new, in the order of their digests.
INSERT INTO campaign (id, site, name, digest)
SELECT (value ->> 0)::bigint, (value ->> 1)::bigint, value ->> 2, decode(value ->> 3, 'hex') AS digest
FROM json_array_elements(:rows::json)
ORDER BY digest
ON CONFLICT DO NOTHING;

-- name: campaigns_by_id(site, ids)
-- Names of a site's campaigns, by a JSON array of ids.
SELECT id, name FROM campaign
WHERE site = :site AND id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(:ids::json)));

-- name: campaign_ids(site, digests)
-- Ids of a site's campaigns by their digests.
SELECT id FROM campaign
WHERE site = :site
  AND digest = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text(:digests::json)))
ORDER BY id;
