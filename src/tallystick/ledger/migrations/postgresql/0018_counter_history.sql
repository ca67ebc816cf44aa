-- How the values of public counters changed, by hours of UTC. Hours are numbered from 1970. In the counter itself:
-- the hour of its last change (0: unknown), and its value at the start of that hour.
ALTER TABLE counter ADD COLUMN hour integer NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN base bigint NOT NULL DEFAULT 0;

-- The same pair of earlier hours in which the value changed. By how much, the base of the next hour shows.
CREATE TABLE counter_hour (
    lane      smallint NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    hour      integer  NOT NULL,
    base      bigint   NOT NULL,
    PRIMARY KEY (lane, namespace, key, hour)
);

-- The powers of ten that the value of a public counter has risen to, from 1,000 on.
CREATE TABLE counter_milestone (
    lane      smallint NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    value     bigint   NOT NULL,
    at        bigint   NOT NULL,  -- Unix milliseconds
    PRIMARY KEY (lane, namespace, key, value)
);

-- Up to which hour the rows of a lane's counter_hour are thinned out, to one a day and to one a month.
CREATE TABLE counter_thinning (
    lane   smallint PRIMARY KEY,
    days   integer NOT NULL,
    months integer NOT NULL
);
