-- What one of several servers on this database does alone: see services/ownership.py.
CREATE TABLE lease (
    name        text PRIMARY KEY,
    holder      text        NOT NULL,  -- id of a data directory
    instance    text        NOT NULL,  -- of one process
    valid_until timestamptz NOT NULL
);
