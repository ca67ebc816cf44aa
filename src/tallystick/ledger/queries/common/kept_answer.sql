-- Answers to requests that carried a key of their sender's; alike on both databases.

-- name: kept_answer(digest, since)^
-- What was answered under a key.
SELECT fingerprint, status, headers, body FROM kept_answer WHERE digest = :digest AND created > :since;

-- name: keep_answer(digest, fingerprint, status, headers, body, created)!
-- Keep an answer with the change that it tells of; an older one under the key is over.
INSERT INTO kept_answer (digest, fingerprint, status, headers, body, created)
VALUES (:digest, :fingerprint, :status, :headers, :body, :created)
ON CONFLICT (digest) DO UPDATE SET
    fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers,
    body = excluded.body, created = excluded.created;

-- name: forget_answers(before, max_rows)!
-- Forget answers that nobody asks for any more, a few at a time.
DELETE FROM kept_answer WHERE digest IN (
    SELECT digest FROM kept_answer WHERE created <= :before ORDER BY created LIMIT :max_rows);
