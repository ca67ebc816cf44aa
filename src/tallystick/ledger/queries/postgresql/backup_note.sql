-- name: keeps_backup_note()$
-- Whether there is the table of the note; not where all servers on the lake are of an older version.
SELECT to_regclass('tallystick_hits.backup_note') IS NOT NULL;

-- name: note_backup(note)!
-- Replace the note of the last backup; its table is in warehouse/lake/migrations.
INSERT INTO tallystick_hits.backup_note (note) VALUES (:note) ON CONFLICT (one) DO UPDATE SET note = excluded.note;

-- name: backup_note()$
-- The note of the last backup, or NULL.
SELECT note FROM tallystick_hits.backup_note;
