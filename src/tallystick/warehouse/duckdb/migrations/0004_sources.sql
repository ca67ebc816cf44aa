-- What led to a hit, and the host of its page. Hits of older versions have empty values.
ALTER TABLE hit ADD COLUMN utm_source VARCHAR DEFAULT '';
ALTER TABLE hit ADD COLUMN utm_medium VARCHAR DEFAULT '';
ALTER TABLE hit ADD COLUMN utm_content VARCHAR DEFAULT '';
ALTER TABLE hit ADD COLUMN utm_term VARCHAR DEFAULT '';
ALTER TABLE hit ADD COLUMN host VARCHAR DEFAULT '';
ALTER TABLE hit ADD COLUMN source VARCHAR DEFAULT '';  -- the name of the source
ALTER TABLE hit ADD COLUMN channel VARCHAR DEFAULT '';  -- the kind of source
