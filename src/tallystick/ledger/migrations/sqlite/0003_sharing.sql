-- Counters that people share, everything that was done to them, and requests that are carried out once.
-- Their numbers are rows of the table counter, under a namespace that no public address can name.
-- Times are Unix milliseconds.
ALTER TABLE account ADD COLUMN uid TEXT NOT NULL DEFAULT '';  -- UUID v4: the id that other members see

UPDATE account SET uid = lower(
    hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
    || substr('89AB', 1 + (abs(random()) % 4), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)));

CREATE UNIQUE INDEX account_by_uid ON account (uid);

CREATE TABLE shared_counter (
    id           INTEGER PRIMARY KEY,
    uid          TEXT    NOT NULL,  -- UUID v7: the id that clients see, and the key of its number
    lane         INTEGER NOT NULL,  -- of its number
    name         TEXT    NOT NULL,
    type         TEXT    NOT NULL,  -- UpDown, FromDate, ToDate
    mode         TEXT,              -- OnlyUp, OnlyDown, UpAndDown; null for dates
    date         INTEGER,           -- the instant of a date counter
    day          TEXT,              -- its calendar day, YYYY-MM-DD: what days are counted from
    goal         INTEGER,
    allow_exceed INTEGER NOT NULL,
    least        INTEGER,           -- the value never falls below
    reset_value  INTEGER NOT NULL,
    created      INTEGER NOT NULL,
    UNIQUE (uid)
) STRICT;

CREATE TABLE counter_member (
    account INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    role    TEXT    NOT NULL,  -- admin, member, viewer
    joined  INTEGER NOT NULL,
    since   INTEGER NOT NULL,  -- the number of the change with which it began
    PRIMARY KEY (account, counter)
) STRICT, WITHOUT ROWID;

CREATE INDEX member_by_counter ON counter_member (counter, account);

CREATE TABLE counter_invite (
    uid      TEXT    NOT NULL PRIMARY KEY,  -- UUID v7
    counter  INTEGER NOT NULL,
    digest   BLOB    NOT NULL,  -- of the code; the code itself is kept nowhere
    prefix   TEXT    NOT NULL,  -- the code's first characters, to recognise it by
    role     TEXT    NOT NULL,
    expires  INTEGER NOT NULL,
    max_uses INTEGER,           -- null: as many as there are people
    uses     INTEGER NOT NULL,
    account  INTEGER NOT NULL,  -- who made it
    created  INTEGER NOT NULL,
    UNIQUE (digest)
) STRICT;

CREATE INDEX invite_by_counter ON counter_invite (counter);

-- Everything that was done, in the order of the commits: history, and what live connections are told.
CREATE TABLE counter_change (
    number  INTEGER PRIMARY KEY,  -- rises by one with every change of any counter
    counter INTEGER NOT NULL,
    kind    TEXT    NOT NULL,     -- created, value, details, members, deleted
    actor   INTEGER,              -- account
    at      INTEGER NOT NULL,
    delta   INTEGER,
    value   INTEGER,
    version INTEGER,
    undoes  INTEGER               -- the number of the change that this one takes back
) STRICT;

CREATE INDEX change_by_counter ON counter_change (counter, number);

-- What was taken back; nothing is taken back twice.
CREATE UNIQUE INDEX change_undone ON counter_change (undoes) WHERE undoes IS NOT NULL;

-- Counters that were deleted and whose history still has to be removed, a piece at a time.
CREATE TABLE deleted_counter (
    counter INTEGER PRIMARY KEY,
    number  INTEGER NOT NULL,  -- of the change that deleted it: told until its farewells are forgotten
    at      INTEGER NOT NULL
) STRICT;

CREATE INDEX deleted_counter_by_number ON deleted_counter (number);

-- Who lost sight of which counter with which change: a deleted counter has no members to ask.
CREATE TABLE counter_farewell (
    account INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    uid     TEXT    NOT NULL,     -- the counter's
    at      INTEGER NOT NULL,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX farewell_by_number ON counter_farewell (number);

-- Which numbering of changes this is. A copy of a ledger goes on from older numbers, so it gets a name of its own.
CREATE TABLE change_epoch (
    epoch TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Answers to requests that carried a key of their sender's.
CREATE TABLE kept_answer (
    digest      BLOB    PRIMARY KEY,  -- of who asked for what under which key
    fingerprint BLOB    NOT NULL,     -- of the whole request
    status      INTEGER NOT NULL,
    headers     TEXT    NOT NULL,     -- JSON
    body        BLOB    NOT NULL,
    created     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX kept_answer_by_age ON kept_answer (created);
