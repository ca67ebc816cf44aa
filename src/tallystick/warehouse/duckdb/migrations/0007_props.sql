-- The page, the properties and the weight of events, and devices by the agent. Hits of older versions have empty values,
-- and all of their events end a bounce. Nothing is computed: new columns of ten million hits take half a second.
ALTER TABLE hit ADD COLUMN page INTEGER;  -- path of the page where an event happened; NULL for pageviews and unknown ones
ALTER TABLE hit ADD COLUMN props VARCHAR DEFAULT '';  -- canonical text of a JSON object of texts; '' for none
ALTER TABLE hit ADD COLUMN interactive BOOLEAN DEFAULT true;  -- whether a visit with the event is no bounce
ALTER TABLE hit ADD COLUMN device VARCHAR DEFAULT '';
ALTER TABLE visit ADD COLUMN device VARCHAR DEFAULT '';  -- of its first hit
ALTER TABLE visit ADD COLUMN passive_events UINTEGER DEFAULT 0;  -- events that leave it a bounce; `events` has all
