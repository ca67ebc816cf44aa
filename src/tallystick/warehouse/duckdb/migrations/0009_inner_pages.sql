-- Pages of a visit's pageviews between its first and its last one, in order, with which questions about pages need not
-- join visits with hits. NULL where there are more than 250 pageviews (`MOST_VIEWED` in visits.py).
ALTER TABLE visit ADD COLUMN inner_pages INTEGER[];
-- All visits are computed anew.
UPDATE mark SET visits = false;
