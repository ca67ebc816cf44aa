-- name: hold_login_attempts(digest)^
-- Lock the attempts at a password until the end of the transaction. Returns them, and the database's clock.
INSERT INTO login_attempt (digest, amount, last, turn) VALUES (:digest, 0, 0, 0)
ON CONFLICT (digest) DO UPDATE SET amount = login_attempt.amount
RETURNING amount, last, turn, extract(epoch FROM clock_timestamp())::double precision;

-- name: set_login_attempts(digest, amount, last, turn)!
-- Store the attempts at a password.
UPDATE login_attempt SET amount = :amount, last = :last, turn = :turn WHERE digest = :digest;

-- name: forget_login_attempts(seconds)!
-- Remove passwords without an attempt for so long.
DELETE FROM login_attempt WHERE last < extract(epoch FROM clock_timestamp()) - :seconds::double precision;
