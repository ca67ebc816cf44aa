-- Hits that any node has acknowledged and that are not in the lake yet: one row for each commit of a node. Rows may
-- become visible in another order than that of `seq`.
CREATE TABLE tallystick_hits.batch (
    seq     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node    text        NOT NULL,  -- the node that acknowledged them
    content bytea       NOT NULL,
    format  integer     NOT NULL,  -- of the content
    hits    integer     NOT NULL,  -- in it
    stored  timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Rows live for a second: without this, their index would grow to many times its size between two vacuums.
ALTER TABLE tallystick_hits.batch SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000
);

-- Idempotency records of requests with hits, stored with their hits.
CREATE TABLE tallystick_hits.request (
    key         text   PRIMARY KEY,
    fingerprint text   NOT NULL,
    answer      text   NOT NULL,
    created     bigint NOT NULL  -- seconds of the clock by which records age
);
CREATE INDEX request_created ON tallystick_hits.request (created);

-- The node that may write to the lake: the mover. One row.
CREATE TABLE tallystick_hits.lease (
    one       boolean     PRIMARY KEY DEFAULT true CHECK (one),
    epoch     bigint      NOT NULL,  -- raised each time the lease is taken; the lake refuses commits of another one
    holder    text        NOT NULL,  -- the node; empty before the first one
    expires   timestamptz NOT NULL,
    wanted_by text,                  -- a node that asks for it
    moves     bigint      NOT NULL   -- the newest number of a move
);
INSERT INTO tallystick_hits.lease (epoch, holder, expires, moves) VALUES (0, '', '-infinity', 0);

-- The epoch of the lease, which each commit of the lake compares with its own and locks until its end. In a table of its
-- own: extending the lease must not wait for a commit of the lake, nor make it fail.
CREATE TABLE tallystick_hits.fence (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint  NOT NULL
);
INSERT INTO tallystick_hits.fence (epoch) VALUES (0);

-- What is being moved: written before the lake's transaction, which notes the number. So another mover knows which
-- batches the lake has.
CREATE TABLE tallystick_hits.move (
    number bigint   PRIMARY KEY,
    seqs   bigint[] NOT NULL
);
