-- Journals of programs without migrations have this table already.
CREATE TABLE IF NOT EXISTS batch (last_id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
