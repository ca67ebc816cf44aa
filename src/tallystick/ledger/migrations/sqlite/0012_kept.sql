-- What people keep beside the figures of a site: goals, funnels, segments and annotations. Times are Unix milliseconds.
CREATE TABLE goal (
    id      INTEGER PRIMARY KEY,
    site    INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    folded  TEXT    NOT NULL,  -- the name without upper and lower case
    page    TEXT    NOT NULL,
    event   TEXT    NOT NULL,
    props   TEXT    NOT NULL,  -- JSON: pairs of a name and a value
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    UNIQUE (site, folded)
) STRICT;

CREATE TABLE funnel (
    id      INTEGER PRIMARY KEY,
    site    INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    folded  TEXT    NOT NULL,
    steps   TEXT    NOT NULL,  -- JSON of model.funnel.FunnelStep
    strict  INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    UNIQUE (site, folded)
) STRICT;

CREATE TABLE segment (
    id      INTEGER PRIMARY KEY,
    site    INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    owner   INTEGER,           -- an account; NULL: of the site
    filters TEXT    NOT NULL,  -- JSON
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;
CREATE INDEX segment_by_site ON segment (site);
CREATE INDEX segment_by_owner ON segment (owner) WHERE owner IS NOT NULL;

CREATE TABLE annotation (
    id      INTEGER PRIMARY KEY,
    site    INTEGER NOT NULL,
    at      TEXT    NOT NULL,  -- a date or a minute by the clocks of the site's zone
    text    TEXT    NOT NULL,
    link    TEXT    NOT NULL,
    kind    TEXT    NOT NULL,  -- model.annotation.AnnotationKind
    owner   INTEGER,           -- an account; NULL: of the site
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;
CREATE INDEX annotation_by_time ON annotation (site, at, id);
CREATE INDEX annotation_by_owner ON annotation (owner) WHERE owner IS NOT NULL;

-- Versions that were last seen at a start, of the program and of its list of bots.
CREATE TABLE seen_version (
    part    TEXT NOT NULL PRIMARY KEY,
    version TEXT NOT NULL
) STRICT, WITHOUT ROWID;
