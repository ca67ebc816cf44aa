-- Idempotency records; for both databases. A status of 0 says that the body is an outcome, any other one that it is
-- the response of an older version.

-- name: keep_answer(digest, fingerprint, status, headers, body, created)!
-- Store a record in the transaction of its change; it replaces an expired one with the same key.
INSERT INTO kept_answer (digest, fingerprint, status, headers, body, created)
VALUES (:digest, :fingerprint, :status, :headers, :body, :created)
ON CONFLICT (digest) DO UPDATE SET
    fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers,
    body = excluded.body, created = excluded.created;

-- name: forget_answers(before, max_rows)!
-- Remove expired records, a few at a time.
DELETE FROM kept_answer WHERE digest IN (
    SELECT digest FROM kept_answer WHERE created <= :before ORDER BY created LIMIT :max_rows);
