-- Attempts at one password, by a digest of whose it is. Unlogged, like all that stands for a server's memory.
CREATE UNLOGGED TABLE login_attempt (
    digest bytea PRIMARY KEY,
    amount bigint NOT NULL,
    last   double precision NOT NULL,  -- Unix seconds of the database's clock
    turn   double precision NOT NULL   -- when the next one may be checked
);
