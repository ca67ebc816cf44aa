-- The log of administrative events; for both databases. Columns stand in the order of services.audit.Event.

-- name: add_event(id, at, kind, actor, subject, detail)!
-- Store an event.
INSERT INTO audit_event (id, at, kind, actor, subject, detail, times) VALUES (:id, :at, :kind, :actor, :subject, :detail, 1);

-- name: repeat_event(kind, subject, since)$
-- Add 1 to the count of an equal event since then. Returns its id, or no row.
UPDATE audit_event SET times = times + 1 WHERE kind = :kind AND subject = :subject AND at >= :since RETURNING id;

-- name: events(before, max_rows)
-- The newest events before one, the newest first.
SELECT id, at, kind, actor, subject, detail, times FROM audit_event WHERE id < :before ORDER BY id DESC LIMIT :max_rows;

-- name: events_like(before, kind, person, max_rows)
-- The newest events before one whose kind, and whose actor or subject, match patterns of LIKE; the newest first.
SELECT id, at, kind, actor, subject, detail, times FROM audit_event
WHERE id < :before AND kind LIKE :kind ESCAPE '!'
  AND (lower(actor) LIKE :person ESCAPE '!' OR lower(subject) LIKE :person ESCAPE '!')
ORDER BY id DESC LIMIT :max_rows;

-- name: trim_events(kept_from)!
-- Delete the oldest events.
DELETE FROM audit_event WHERE id < :kept_from;
