-- What the servers of one database know together, in place of each server's memory.
-- Random values that all servers use: the code of the first account, the key of digests in the other tables.
CREATE TABLE common_secret (
    name  text PRIMARY KEY,
    value text NOT NULL
);

-- Tickets for live connections that are not spent. Unlogged: none is worth more than a minute, and nothing waits for the
-- disk. PostgreSQL empties such a table after a crash.
CREATE UNLOGGED TABLE ticket (
    digest bytea PRIMARY KEY,
    token  bigint NOT NULL,
    prefix text NOT NULL,
    origin text NOT NULL,
    ends   timestamptz NOT NULL
);

CREATE INDEX ticket_by_end ON ticket (ends);

-- Windows of limits that hold over all servers, by a digest of the limit's name and whom it counts.
CREATE UNLOGGED TABLE limit_window (
    digest bytea PRIMARY KEY,
    used   bigint NOT NULL,
    ends   timestamptz NOT NULL
);

CREATE INDEX limit_window_by_end ON limit_window (ends);

-- What servers tell each other of their limits. Each server inserts a row now and then, the others read it once.
CREATE UNLOGGED TABLE limit_report (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server text NOT NULL,
    made   timestamptz NOT NULL DEFAULT clock_timestamp(),
    uses   text NOT NULL  -- JSON
);

CREATE INDEX limit_report_by_age ON limit_report (made);
