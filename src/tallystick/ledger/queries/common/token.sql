-- API tokens; for both databases. Columns stand in the order of model.account.Token.

-- name: add_token(id, account, name, prefix, digest, permissions, sites, created, made_by)!
-- Store a new token; its secret is not stored.
INSERT INTO token (id, account, name, prefix, digest, permissions, sites, created, made_by)
VALUES (:id, :account, :name, :prefix, :digest, :permissions, :sites, :created, :made_by);

-- name: tokens_made_with(id)
-- Tokens created with a token, directly or indirectly.
WITH RECURSIVE made (id) AS (
    SELECT id FROM token WHERE made_by = :id
    UNION
    SELECT token.id FROM token JOIN made ON token.made_by = made.id
)
SELECT id FROM made ORDER BY id;

-- name: makers_of_tokens(account)
-- For each token of an account: the token that created it.
SELECT id, made_by FROM token WHERE account = :account AND made_by IS NOT NULL ORDER BY id;

-- name: token_by_digest(digest)^
-- The token with a digest.
SELECT id, account, name, prefix, permissions, sites, created, used FROM token WHERE digest = :digest;

-- name: token_digests()
-- The digests of all tokens.
SELECT digest FROM token;

-- name: token_by_id(id)^
-- One token.
SELECT id, account, name, prefix, permissions, sites, created, used FROM token WHERE id = :id;

-- name: tokens_of(account)
-- The tokens of one account.
SELECT id, account, name, prefix, permissions, sites, created, used FROM token WHERE account = :account ORDER BY id;

-- name: all_tokens()
-- The tokens of all accounts.
SELECT id, account, name, prefix, permissions, sites, created, used FROM token ORDER BY account, id;

-- name: count_tokens(account)$
-- The number of an account's tokens.
SELECT count(*) FROM token WHERE account = :account;

-- name: note_use(id, now, before)!
-- Store when a token was used, unless a recent use is already stored.
UPDATE token SET used = :now WHERE id = :id AND (used IS NULL OR used <= :before);

-- name: set_token_secret(id, prefix, digest)!
-- Replace a token's secret; the old one is no longer valid.
UPDATE token SET prefix = :prefix, digest = :digest WHERE id = :id;

-- name: delete_token(id)!
-- Revoke a token.
DELETE FROM token WHERE id = :id;

-- name: delete_tokens(account)!
-- Revoke every token of an account.
DELETE FROM token WHERE account = :account;
