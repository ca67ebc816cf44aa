-- Public counters with owners. Bits of a counter's flags: 1 it has an owner and never expires, 2 only its owner changes
-- it, 4 it counts only what its owner's rules admit.
ALTER TABLE counter ADD COLUMN flags smallint NOT NULL DEFAULT 0;

-- Who owns a counter, by a secret or by an account, and its owner's rules. Without both, nobody does any more.
CREATE TABLE owned_counter (
    lane      smallint NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    digest    bytea,             -- of the secret
    account   bigint,
    label     text     NOT NULL,
    origins   text     NOT NULL, -- JSON: pages of these origins count; empty: of every one
    one_each  text     NOT NULL, -- hour, day or visit: one count a visitor; empty: every count
    created   bigint   NOT NULL, -- Unix milliseconds
    PRIMARY KEY (lane, namespace, key)
);
CREATE INDEX owned_counter_by_account ON owned_counter (account, namespace, key) WHERE account IS NOT NULL;

-- Who was counted by a counter that counts each visitor once, until when. The digest takes a salt that is destroyed.
CREATE TABLE counter_seen (
    lane      smallint NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    visitor   bytea    NOT NULL,
    until     bigint   NOT NULL, -- Unix milliseconds
    PRIMARY KEY (lane, namespace, key, visitor)
);
CREATE INDEX counter_seen_by_end ON counter_seen (until);

-- Namespaces in which only the owner of a site creates counters.
CREATE TABLE reserved_namespace (
    namespace text COLLATE "C" PRIMARY KEY,
    site      bigint NOT NULL,
    created   bigint NOT NULL    -- Unix milliseconds
);
