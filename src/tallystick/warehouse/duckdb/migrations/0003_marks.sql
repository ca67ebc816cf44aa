-- How far this store has come, and how far it knows the ledger has come: what a start compares. One row.
ALTER TABLE mark ADD COLUMN IF NOT EXISTS warehouse VARCHAR DEFAULT '';  -- the same name as in the journal's marks
ALTER TABLE mark ADD COLUMN IF NOT EXISTS complete BOOLEAN DEFAULT true;  -- no journal belongs to this file: a copy
ALTER TABLE mark ADD COLUMN IF NOT EXISTS relaxed VARCHAR DEFAULT '';  -- the machine's boot, under --durability relaxed
ALTER TABLE mark ADD COLUMN IF NOT EXISTS changes BIGINT DEFAULT 0;  -- changes of stored hits, counted
ALTER TABLE mark ADD COLUMN IF NOT EXISTS commits BIGINT DEFAULT 0;  -- of the ledger
ALTER TABLE mark ADD COLUMN IF NOT EXISTS site BIGINT DEFAULT 0;  -- the newest ids of the ledger that hits refer to
ALTER TABLE mark ADD COLUMN IF NOT EXISTS path BIGINT DEFAULT 0;
ALTER TABLE mark ADD COLUMN IF NOT EXISTS campaign BIGINT DEFAULT 0;

UPDATE mark SET
    site = greatest(site, (SELECT coalesce(max(site), 0) FROM hit)),
    path = greatest(path, (SELECT coalesce(max(path), 0) FROM hit)),
    campaign = greatest(campaign, (SELECT coalesce(max(campaign), 0) FROM hit));
