-- The note of the last backup, which all servers show. One row, JSON.
CREATE TABLE tallystick_hits.backup_note (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    note text    NOT NULL
);
