-- The next numbers of a sequence; alike on both databases.

-- name: take_numbers(name, amount)$
-- Take that many numbers; the last of them.
INSERT INTO sequence (name, last) VALUES (:name, :amount)
ON CONFLICT (name) DO UPDATE SET last = sequence.last + excluded.last
RETURNING last;

-- name: last_number(name)$
-- Where a sequence stands; 0 before its first number.
SELECT coalesce(max(last), 0) FROM sequence WHERE name = :name;
