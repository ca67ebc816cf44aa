-- name: common_secret(name, value)$
-- A random value that all servers use: the given one, unless another server has stored one before.
WITH stored AS (
    INSERT INTO common_secret (name, value) VALUES (:name, :value)
    ON CONFLICT (name) DO UPDATE SET value = common_secret.value
    RETURNING value
)
SELECT value FROM stored;

-- name: forget_common_secret(name)!
-- Remove a random value that is not used any more.
DELETE FROM common_secret WHERE name = :name;
