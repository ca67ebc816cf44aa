-- Accounts; for both databases. Columns stand in the order of services.accounts.

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
-- One account; the last column is the password's digest.
SELECT id, uid, email, email_verified, name, site, totp_secret IS NOT NULL, access, settings, login, opened, created,
       updated, password
FROM account WHERE email = :email;

-- name: all_accounts()
-- All accounts, sorted for display.
SELECT id, uid, email, email_verified, name, site, totp_secret IS NOT NULL, access, settings, login, opened, created,
       updated
FROM account ORDER BY email;

-- name: accounts_of_site(site)
-- The accounts with the same first site.
SELECT id, uid, email, email_verified, name, site, totp_secret IS NOT NULL, access, settings, login, opened, created,
       updated
FROM account WHERE site = :site ORDER BY email;

-- name: count_accounts()$
-- The number of accounts.
SELECT count(*) FROM account;

-- name: change_account(id, name, settings, updated)!
-- Change an account's name and settings.
UPDATE account SET name = :name, settings = :settings, updated = :updated WHERE id = :id;

-- name: set_password(id, password, updated)!
-- Replace the password.
UPDATE account SET password = :password, updated = :updated WHERE id = :id;

-- name: renew_password(id, known, password)!
-- Replace the digest of the same password, unless another one has been set meanwhile.
UPDATE account SET password = :password WHERE id = :id AND password = :known;

-- name: set_access(id, site, access, updated)!
-- Set an account's site and access.
UPDATE account SET site = :site, access = :access, updated = :updated WHERE id = :id;

-- name: note_login(id, now)!
-- Store the time of the last login.
UPDATE account SET login = :now, opened = :now WHERE id = :id;

-- name: leave_site(site)!
-- Remove a deleted site from all accounts.
UPDATE account SET site = NULL WHERE site = :site;

-- name: end_logins(account, kept)!
-- End the login sessions of an account, except one.
DELETE FROM login WHERE account = :account AND digest <> :kept;

-- name: delete_recovery_codes(account)!
-- Delete the recovery codes of an account.
DELETE FROM recovery_code WHERE account = :account;

-- name: delete_account(id)!
-- Delete an account; its dependent rows are deleted by other queries.
DELETE FROM account WHERE id = :id;
