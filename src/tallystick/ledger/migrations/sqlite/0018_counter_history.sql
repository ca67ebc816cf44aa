-- How the values of public counters changed, by hours of UTC. Hours are numbered from 1970. In the counter itself:
-- the hour of its last change (0: unknown), and its value at the start of that hour.
ALTER TABLE counter ADD COLUMN hour INTEGER NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN base INTEGER NOT NULL DEFAULT 0;

-- The same pair of earlier hours in which the value changed. By how much, the base of the next hour shows.
CREATE TABLE counter_hour (
    lane      INTEGER NOT NULL,
    namespace TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    hour      INTEGER NOT NULL,
    base      INTEGER NOT NULL,
    PRIMARY KEY (lane, namespace, key, hour)
) STRICT, WITHOUT ROWID;

-- The powers of ten that the value of a public counter has risen to, from 1,000 on.
CREATE TABLE counter_milestone (
    lane      INTEGER NOT NULL,
    namespace TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    value     INTEGER NOT NULL,
    at        INTEGER NOT NULL,  -- Unix milliseconds
    PRIMARY KEY (lane, namespace, key, value)
) STRICT, WITHOUT ROWID;

-- Up to which hour the rows of a lane's counter_hour are thinned out, to one a day and to one a month.
CREATE TABLE counter_thinning (
    lane   INTEGER PRIMARY KEY,
    days   INTEGER NOT NULL,
    months INTEGER NOT NULL
) STRICT;
