-- People, their sites and tokens, the names that hits refer to, and what the warehouse has still to do.
-- Times are Unix milliseconds. Ids come from the sequence table, so that none is ever given twice and a
-- backup that copies tables copies where each sequence stands.
CREATE TABLE sequence (
    name text    PRIMARY KEY,
    last bigint  NOT NULL
);

CREATE TABLE site (
    id            bigint  PRIMARY KEY,
    parent        bigint,            -- the account's first site; null for that one
    cname         text,              -- the Host that chooses the site, lower case
    cname_setup   bigint,
    code          text    NOT NULL,
    link_domain   text    NOT NULL,
    settings      text    NOT NULL,  -- JSON: model.site.SiteSettings
    user_defaults text    NOT NULL,  -- JSON: model.account.UserSettings
    received_data bigint  NOT NULL,
    state         text    NOT NULL,  -- a: active, d: being deleted
    created       bigint  NOT NULL,
    updated       bigint,
    first_hit     bigint  NOT NULL,
    UNIQUE (cname),
    UNIQUE (code)
);

CREATE TABLE account (
    id             bigint  PRIMARY KEY,
    email          text    NOT NULL,  -- lower case
    email_verified bigint  NOT NULL,
    name           text    NOT NULL,
    site           bigint,            -- the account's first site; null while there is none
    password       text    NOT NULL,  -- argon2id
    totp_secret    text,              -- null while two-factor login is off
    totp_used      bigint,           -- the time step of the last accepted code, so that none is taken twice
    access         text    NOT NULL,  -- JSON: site id or "all" -> r, s, a or *
    settings       text    NOT NULL,  -- JSON: model.account.UserSettings
    login          bigint,
    opened         bigint,
    created        bigint  NOT NULL,
    updated        bigint,
    UNIQUE (email)
);

CREATE TABLE recovery_code (
    account bigint  NOT NULL,
    digest  bytea   NOT NULL,
    PRIMARY KEY (account, digest)
);

CREATE TABLE login (
    digest  bytea   PRIMARY KEY,
    account bigint  NOT NULL,
    created bigint  NOT NULL,
    seen    bigint  NOT NULL
);

CREATE TABLE token (
    id          bigint  PRIMARY KEY,
    account     bigint  NOT NULL,
    name        text    NOT NULL,
    prefix      text    NOT NULL,  -- the token's first characters, to recognise it by
    digest      bytea   NOT NULL,
    permissions bigint  NOT NULL,  -- model.account.Permission
    sites       text    NOT NULL,  -- JSON list of site ids; [-1] is all of the account's
    created     bigint  NOT NULL,
    used        bigint,
    UNIQUE (digest)
);

CREATE TABLE path (
    id      bigint  PRIMARY KEY,
    site    bigint  NOT NULL,
    path    text    NOT NULL,  -- as first seen
    digest  bytea   NOT NULL,  -- of the lower-case path: what paths are compared by (model.name.name_digest)
    title   text    NOT NULL,
    event   bigint  NOT NULL,
    counted bigint  NOT NULL,  -- 0 while only bots have asked for it
    UNIQUE (site, digest)
);

CREATE INDEX path_by_site ON path (site, id);

CREATE TABLE campaign (
    id     bigint  PRIMARY KEY,
    site   bigint  NOT NULL,
    name   text    NOT NULL,
    digest bytea   NOT NULL,  -- of the lower-case name
    UNIQUE (site, digest)
);

CREATE TABLE export (
    id           bigint  PRIMARY KEY,
    site         bigint  NOT NULL,
    format       text    NOT NULL,
    start_id     bigint,
    start_day    bigint,
    last_hit     bigint,
    file         text    NOT NULL,
    created      bigint  NOT NULL,
    finished     bigint,
    num_rows     bigint,
    size         bigint,  -- bytes
    hash         text,
    error        text
);

-- Keys of the visitor hash. Rows are destroyed when sessions no longer need them, and never leave this table.
CREATE TABLE salt (
    started bigint  PRIMARY KEY,
    salt    bytea NOT NULL
);

-- What was decided here and has still to be done in the warehouse: deletions, merges, new labels.
CREATE TABLE job (
    id        bigint  PRIMARY KEY,
    kind      text    NOT NULL,
    arguments text    NOT NULL,  -- JSON
    created   bigint  NOT NULL
);
