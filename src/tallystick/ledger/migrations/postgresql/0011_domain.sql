-- The name by which statistics and events are asked and sent for a site: lower case, unique; empty for none.
ALTER TABLE site ADD COLUMN domain text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX site_by_domain ON site (domain) WHERE domain <> '';
