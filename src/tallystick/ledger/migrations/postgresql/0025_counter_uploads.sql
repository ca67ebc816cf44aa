-- The newest file of public counters that was sent to a server: one row, written by the server that has the file.
CREATE UNLOGGED TABLE counter_upload (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    server text NOT NULL,
    upload text NOT NULL,           -- JSON
    begins boolean NOT NULL DEFAULT false,  -- somebody has asked another server to import it
    seen   timestamptz NOT NULL     -- when its server wrote the row
);
