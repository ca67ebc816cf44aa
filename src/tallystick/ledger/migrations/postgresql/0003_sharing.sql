-- Counters that people share, everything that was done to them, and requests that are carried out once.
-- Their numbers are rows of the table counter, under a namespace that no public address can name.
-- Times are Unix milliseconds.
ALTER TABLE account ADD COLUMN uid text NOT NULL DEFAULT '';  -- UUID v4: the id that other members see

UPDATE account SET uid = gen_random_uuid()::text;

CREATE UNIQUE INDEX account_by_uid ON account (uid);

CREATE TABLE shared_counter (
    id           bigint PRIMARY KEY,
    uid          text COLLATE "C" NOT NULL,  -- UUID v7: the id that clients see, and the key of its number
    lane         smallint NOT NULL,  -- of its number
    name         text    NOT NULL,
    type         text    NOT NULL,  -- UpDown, FromDate, ToDate
    mode         text,              -- OnlyUp, OnlyDown, UpAndDown; null for dates
    date         bigint,           -- the instant of a date counter
    day          text,              -- its calendar day, YYYY-MM-DD: what days are counted from
    goal         bigint,
    allow_exceed bigint NOT NULL,
    least        bigint,           -- the value never falls below
    reset_value  bigint NOT NULL,
    created      bigint NOT NULL,
    UNIQUE (uid)
);

CREATE TABLE counter_member (
    account bigint NOT NULL,
    counter bigint NOT NULL,
    role    text    NOT NULL,  -- admin, member, viewer
    joined  bigint NOT NULL,
    since   bigint NOT NULL,  -- the number of the change with which it began
    PRIMARY KEY (account, counter)
);

CREATE INDEX member_by_counter ON counter_member (counter, account);

CREATE TABLE counter_invite (
    uid      text COLLATE "C" NOT NULL PRIMARY KEY,  -- UUID v7
    counter  bigint NOT NULL,
    digest   bytea    NOT NULL,  -- of the code; the code itself is kept nowhere
    prefix   text    NOT NULL,  -- the code's first characters, to recognise it by
    role     text    NOT NULL,
    expires  bigint NOT NULL,
    max_uses bigint,           -- null: as many as there are people
    uses     bigint NOT NULL,
    account  bigint NOT NULL,  -- who made it
    created  bigint NOT NULL,
    UNIQUE (digest)
);

CREATE INDEX invite_by_counter ON counter_invite (counter);

-- Everything that was done, in the order of the commits: history, and what live connections are told.
CREATE TABLE counter_change (
    number  bigint PRIMARY KEY,  -- rises by one with every change of any counter
    counter bigint NOT NULL,
    kind    text    NOT NULL,     -- created, value, details, members, deleted
    actor   bigint,              -- account
    at      bigint NOT NULL,
    delta   bigint,
    value   bigint,
    version bigint,
    undoes  bigint               -- the number of the change that this one takes back
);

CREATE INDEX change_by_counter ON counter_change (counter, number);

-- What was taken back; nothing is taken back twice.
CREATE UNIQUE INDEX change_undone ON counter_change (undoes) WHERE undoes IS NOT NULL;

-- Counters that were deleted and whose history still has to be removed, a piece at a time.
CREATE TABLE deleted_counter (
    counter bigint PRIMARY KEY,
    number  bigint NOT NULL,  -- of the change that deleted it: told until its farewells are forgotten
    at      bigint NOT NULL
);

CREATE INDEX deleted_counter_by_number ON deleted_counter (number);

-- Who lost sight of which counter with which change: a deleted counter has no members to ask.
CREATE TABLE counter_farewell (
    account bigint NOT NULL,
    number  bigint NOT NULL,
    uid     text    NOT NULL,     -- the counter's
    at      bigint NOT NULL,
    PRIMARY KEY (account, number)
);

CREATE INDEX farewell_by_number ON counter_farewell (number);

-- Which numbering of changes this is. A copy of a ledger goes on from older numbers, so it gets a name of its own.
CREATE TABLE change_epoch (
    epoch text PRIMARY KEY
);

-- Answers to requests that carried a key of their sender's.
CREATE TABLE kept_answer (
    digest      bytea    PRIMARY KEY,  -- of who asked for what under which key
    fingerprint bytea    NOT NULL,     -- of the whole request
    status      bigint NOT NULL,
    headers     text    NOT NULL,     -- JSON
    body        bytea    NOT NULL,
    created     bigint NOT NULL
);

CREATE INDEX kept_answer_by_age ON kept_answer (created);
