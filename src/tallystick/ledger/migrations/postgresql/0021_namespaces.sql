-- How many public counters each namespace has. One row a lane where transactions are of one lane, so that two of them
-- never wait for the same row. The sum counts: a row may be below 0 after a move.
CREATE TABLE namespace_keys (
    namespace text COLLATE "C" NOT NULL,
    lane      smallint NOT NULL,
    keys      bigint   NOT NULL,
    PRIMARY KEY (namespace, lane)
);
INSERT INTO namespace_keys (namespace, lane, keys)
SELECT namespace, lane, count(*) FROM counter WHERE substr(namespace, 1, 1) <> ':' GROUP BY namespace, lane;
CREATE INDEX namespace_keys_by_number ON namespace_keys (lane, keys);

-- Namespaces in which nobody without an account creates counters.
CREATE TABLE closed_namespace (
    namespace text COLLATE "C" PRIMARY KEY,
    created   bigint NOT NULL    -- Unix milliseconds
);

-- Counters that the operator has frozen: bit 8 of their flags is set, and no greater one.
CREATE INDEX counter_frozen ON counter (namespace, key) WHERE flags >= 8;
