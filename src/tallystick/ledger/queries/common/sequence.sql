-- The next numbers of a sequence; alike on both databases.

-- name: take_numbers(name, amount)$
-- Take that many numbers; the last of them.
INSERT INTO sequence (name, last) VALUES (:name, :amount)
ON CONFLICT (name) DO UPDATE SET last = sequence.last + excluded.last
RETURNING last;
