-- People, their sites and tokens, the names that hits refer to, and what the warehouse has still to do.
-- Times are Unix milliseconds. Ids come from the sequence table, so that none is ever given twice and a
-- backup that copies tables copies where each sequence stands.
CREATE TABLE sequence (
    name TEXT    PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE site (
    id            INTEGER PRIMARY KEY,
    parent        INTEGER,           -- the account's first site; null for that one
    cname         TEXT,              -- the Host that chooses the site, lower case
    cname_setup   INTEGER,
    code          TEXT    NOT NULL,
    link_domain   TEXT    NOT NULL,
    settings      TEXT    NOT NULL,  -- JSON: model.site.SiteSettings
    user_defaults TEXT    NOT NULL,  -- JSON: model.account.UserSettings
    received_data INTEGER NOT NULL,
    state         TEXT    NOT NULL,  -- a: active, d: being deleted
    created       INTEGER NOT NULL,
    updated       INTEGER,
    first_hit     INTEGER NOT NULL,
    UNIQUE (cname),
    UNIQUE (code)
) STRICT;

CREATE TABLE account (
    id             INTEGER PRIMARY KEY,
    email          TEXT    NOT NULL,  -- lower case
    email_verified INTEGER NOT NULL,
    name           TEXT    NOT NULL,
    site           INTEGER,           -- the account's first site; null while there is none
    password       TEXT    NOT NULL,  -- argon2id
    totp_secret    TEXT,              -- null while two-factor login is off
    totp_used      INTEGER,           -- the time step of the last accepted code, so that none is taken twice
    access         TEXT    NOT NULL,  -- JSON: site id or "all" -> r, s, a or *
    settings       TEXT    NOT NULL,  -- JSON: model.account.UserSettings
    login          INTEGER,
    opened         INTEGER,
    created        INTEGER NOT NULL,
    updated        INTEGER,
    UNIQUE (email)
) STRICT;

CREATE TABLE recovery_code (
    account INTEGER NOT NULL,
    digest  BLOB    NOT NULL,
    PRIMARY KEY (account, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE login (
    digest  BLOB    PRIMARY KEY,
    account INTEGER NOT NULL,
    created INTEGER NOT NULL,
    seen    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    id          INTEGER PRIMARY KEY,
    account     INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    prefix      TEXT    NOT NULL,  -- the token's first characters, to recognise it by
    digest      BLOB    NOT NULL,
    permissions INTEGER NOT NULL,  -- model.account.Permission
    sites       TEXT    NOT NULL,  -- JSON list of site ids; [-1] is all of the account's
    created     INTEGER NOT NULL,
    used        INTEGER,
    UNIQUE (digest)
) STRICT;

CREATE TABLE path (
    id      INTEGER PRIMARY KEY,
    site    INTEGER NOT NULL,
    path    TEXT    NOT NULL,  -- as first seen
    digest  BLOB    NOT NULL,  -- of the lower-case path: what paths are compared by (model.name.name_digest)
    title   TEXT    NOT NULL,
    event   INTEGER NOT NULL,
    counted INTEGER NOT NULL,  -- 0 while only bots have asked for it
    UNIQUE (site, digest)
) STRICT;

CREATE INDEX path_by_site ON path (site, id);

CREATE TABLE campaign (
    id     INTEGER PRIMARY KEY,
    site   INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    digest BLOB    NOT NULL,  -- of the lower-case name
    UNIQUE (site, digest)
) STRICT;

CREATE TABLE export (
    id           INTEGER PRIMARY KEY,
    site         INTEGER NOT NULL,
    format       TEXT    NOT NULL,
    start_id     INTEGER,
    start_day    INTEGER,
    last_hit     INTEGER,
    file         TEXT    NOT NULL,
    created      INTEGER NOT NULL,
    finished     INTEGER,
    num_rows     INTEGER,
    size         INTEGER,  -- bytes
    hash         TEXT,
    error        TEXT
) STRICT;

-- Keys of the visitor hash. Rows are destroyed when sessions no longer need them, and never leave this table.
CREATE TABLE salt (
    started INTEGER PRIMARY KEY,
    salt    BLOB NOT NULL
) STRICT;

-- What was decided here and has still to be done in the warehouse: deletions, merges, new labels.
CREATE TABLE job (
    id        INTEGER PRIMARY KEY,
    kind      TEXT    NOT NULL,
    arguments TEXT    NOT NULL,  -- JSON
    created   INTEGER NOT NULL
) STRICT;
