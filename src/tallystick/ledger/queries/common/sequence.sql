-- The next numbers of a sequence; for both databases.

-- name: take_numbers(name, amount)$
-- Take a number of numbers. Returns the last one.
INSERT INTO sequence (name, last) VALUES (:name, :amount)
ON CONFLICT (name) DO UPDATE SET last = sequence.last + excluded.last
RETURNING last;

-- name: last_number(name)$
-- The last number of a sequence; 0 before its first one.
SELECT coalesce(max(last), 0) FROM sequence WHERE name = :name;
