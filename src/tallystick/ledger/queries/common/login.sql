-- Login sessions of browsers, and the second step of logging in; for both databases.

-- name: add_login(digest, account, created)!
-- Store a new login session.
INSERT INTO login (digest, account, created, seen, proved) VALUES (:digest, :account, :created, :created, :created);

-- name: login_by_digest(digest, begun_after, seen_after)^
-- One login session, unless it has expired.
SELECT digest, account, created, seen, proved FROM login
WHERE digest = :digest AND created > :begun_after AND seen > :seen_after;

-- name: logins_of(account, begun_after, seen_after)
-- The login sessions of one account, the last used one first.
SELECT digest, account, created, seen, proved FROM login
WHERE account = :account AND created > :begun_after AND seen > :seen_after
ORDER BY seen DESC, created DESC;

-- name: note_seen(digest, now)!
-- Store when a login session was last used.
UPDATE login SET seen = :now WHERE digest = :digest AND seen < :now;

-- name: note_proved(digest, now)!
-- Store when the password was last checked in a login session.
UPDATE login SET proved = :now WHERE digest = :digest AND proved < :now;

-- name: end_login(account, digest)!
-- End one login session of an account.
DELETE FROM login WHERE account = :account AND digest = :digest;

-- name: forget_logins(begun_before, seen_before)!
-- Delete expired login sessions.
DELETE FROM login WHERE created <= :begun_before OR seen <= :seen_before;

-- name: forget_oldest_logins(account, kept)!
-- Delete an account's login sessions, except a number of last used ones.
DELETE FROM login WHERE account = :account AND digest NOT IN (
    SELECT digest FROM login WHERE account = :account ORDER BY seen DESC, digest LIMIT :kept
);

-- name: totp_of(id)^
-- The secret of the second step, and the time step of the last code that was accepted.
SELECT totp_secret, totp_used FROM account WHERE id = :id;

-- name: totp_secrets()
-- Every account's secret of the second step.
SELECT id, totp_secret FROM account WHERE totp_secret IS NOT NULL ORDER BY id;

-- name: seal_totp(id, plain, sealed)!
-- Replace a secret by its encrypted form, unless it has changed.
UPDATE account SET totp_secret = :sealed WHERE id = :id AND totp_secret = :plain;

-- name: set_totp(id, secret, used, updated)!
-- Turn the second step on, or off without a secret.
UPDATE account SET totp_secret = :secret, totp_used = :used, updated = :updated WHERE id = :id;

-- name: use_totp_step(id, step)$
-- Use up a code's time step. Returns the account's id, or no row if that step or a later one was already used.
UPDATE account SET totp_used = :step WHERE id = :id AND (totp_used IS NULL OR totp_used < :step) RETURNING id;

-- name: add_recovery_code(account, digest)!
-- Store a recovery code.
INSERT INTO recovery_code (account, digest) VALUES (:account, :digest);

-- name: use_recovery_code(account, digest)$
-- Use up a recovery code. Returns the account's id, or no row if there is no such code.
DELETE FROM recovery_code WHERE account = :account AND digest = :digest RETURNING account;

-- name: count_recovery_codes(account)$
-- The number of unused recovery codes.
SELECT count(*) FROM recovery_code WHERE account = :account;
