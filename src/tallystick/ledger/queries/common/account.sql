-- People; alike on both databases. Columns stand in the order of services.accounts.

-- name: add_account(id, uid, email, name, site, password, access, settings, created)!
-- Store a new account.
INSERT INTO account (id, uid, email, email_verified, name, site, password, access, settings, created)
VALUES (:id, :uid, :email, 0, :name, :site, :password, :access, :settings, :created);

-- name: account_by_id(id)^
-- One account.
SELECT id, uid, email, email_verified, name, site, totp_secret IS NOT NULL, access, settings, login, opened, created,
       updated
FROM account WHERE id = :id;

-- name: account_by_email(email)^
-- One account, and its password's digest last.
SELECT id, uid, email, email_verified, name, site, totp_secret IS NOT NULL, access, settings, login, opened, created,
       updated, password
FROM account WHERE email = :email;

-- name: all_accounts()
-- Everyone, sorted for a person.
SELECT id, uid, email, email_verified, name, site, totp_secret IS NOT NULL, access, settings, login, opened, created,
       updated
FROM account ORDER BY email;

-- name: accounts_of_site(site)
-- The people who share one account: the ones with the same first site.
SELECT id, uid, email, email_verified, name, site, totp_secret IS NOT NULL, access, settings, login, opened, created,
       updated
FROM account WHERE site = :site ORDER BY email;

-- name: count_accounts()$
-- How many people there are.
SELECT count(*) FROM account;

-- name: change_account(id, name, settings, updated)!
-- What a person decides about themselves.
UPDATE account SET name = :name, settings = :settings, updated = :updated WHERE id = :id;

-- name: set_password(id, password, updated)!
-- Replace the password.
UPDATE account SET password = :password, updated = :updated WHERE id = :id;

-- name: renew_password(id, known, password)!
-- Replace the digest of the same password, unless another one has been set meanwhile.
UPDATE account SET password = :password WHERE id = :id AND password = :known;

-- name: set_access(id, site, access, updated)!
-- Which sites a person belongs to, and what they may do there.
UPDATE account SET site = :site, access = :access, updated = :updated WHERE id = :id;

-- name: note_login(id, now)!
-- Remember when someone last logged in.
UPDATE account SET login = :now, opened = :now WHERE id = :id;

-- name: leave_site(site)!
-- Nobody belongs to a site that is being deleted.
UPDATE account SET site = NULL WHERE site = :site;

-- name: end_logins(account, kept)!
-- End the login sessions of an account, but for one.
DELETE FROM login WHERE account = :account AND digest <> :kept;

-- name: delete_recovery_codes(account)!
-- Forget the recovery codes of an account.
DELETE FROM recovery_code WHERE account = :account;

-- name: delete_account(id)!
-- Remove an account; what hangs on it is removed by queries of its own.
DELETE FROM account WHERE id = :id;
