-- How far each import of a file is that somebody has sent. The files are in the lake's storage.
CREATE TABLE tallystick_hits.upload (
    id     text    PRIMARY KEY,
    record text    NOT NULL,                -- JSON
    ended  boolean NOT NULL DEFAULT false,  -- nothing of it changes any more
    stops  boolean NOT NULL DEFAULT false   -- somebody wants the import to be stopped
);

-- Which parts of files were imported, so that no line is imported twice.
CREATE TABLE tallystick_hits.imported_file (
    name   text PRIMARY KEY,
    record text NOT NULL  -- JSON
);
