-- Has a row while a restore has replaced the ledger and not the hits yet.
CREATE TABLE tallystick_hits.unfinished_restore (
    one   boolean     PRIMARY KEY DEFAULT true CHECK (one),
    begun timestamptz NOT NULL DEFAULT clock_timestamp()
);
