-- name: save_upload(id, record, ended)!
-- Store how far an import is; one that has ended stays as it is.
INSERT INTO tallystick_hits.upload (id, record, ended) VALUES (:id, :record, :ended)
ON CONFLICT (id) DO UPDATE SET record = excluded.record, ended = excluded.ended WHERE NOT tallystick_hits.upload.ended;

-- name: upload_by_id(id)$
-- One record.
SELECT record FROM tallystick_hits.upload WHERE id = :id;

-- name: uploads()
-- All records of uploads; their tables are in warehouse/lake/migrations.
SELECT record FROM tallystick_hits.upload;

-- name: remove_upload(id)!
-- Remove a record.
DELETE FROM tallystick_hits.upload WHERE id = :id;

-- name: stop_upload(id)!
-- Note that somebody wants an import to be stopped.
UPDATE tallystick_hits.upload SET stops = true WHERE id = :id AND NOT ended;

-- name: unended_uploads()
-- Uploads that have not ended: whether they are still to be imported, and whether somebody wants that to be stopped.
SELECT id, record::json ->> 'state' <> 'looked', stops FROM tallystick_hits.upload WHERE NOT ended;

-- name: import_records()
-- What was imported.
SELECT record FROM tallystick_hits.imported_file;

-- name: save_import_record(name, record)!
-- Store how far the import of a file is.
INSERT INTO tallystick_hits.imported_file (name, record) VALUES (:name, :record)
ON CONFLICT (name) DO UPDATE SET record = excluded.record;

-- name: remove_import_records(names)!
-- Forget what was imported.
DELETE FROM tallystick_hits.imported_file WHERE name = ANY (:names::text[]);
