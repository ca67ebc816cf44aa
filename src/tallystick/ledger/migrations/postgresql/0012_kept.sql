-- What people keep beside the figures of a site: goals, funnels, segments and annotations. Times are Unix milliseconds.
CREATE TABLE goal (
    id      bigint PRIMARY KEY,
    site    bigint NOT NULL,
    name    text   NOT NULL,
    folded  text   NOT NULL,  -- the name without upper and lower case
    page    text   NOT NULL,
    event   text   NOT NULL,
    props   text   NOT NULL,  -- JSON: pairs of a name and a value
    created bigint NOT NULL,
    updated bigint NOT NULL,
    UNIQUE (site, folded)
);

CREATE TABLE funnel (
    id      bigint PRIMARY KEY,
    site    bigint NOT NULL,
    name    text   NOT NULL,
    folded  text   NOT NULL,
    steps   text   NOT NULL,  -- JSON of model.funnel.FunnelStep
    strict  bigint NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    UNIQUE (site, folded)
);

CREATE TABLE segment (
    id      bigint PRIMARY KEY,
    site    bigint NOT NULL,
    name    text   NOT NULL,
    owner   bigint,          -- an account; NULL: of the site
    filters text   NOT NULL,  -- JSON
    created bigint NOT NULL,
    updated bigint NOT NULL
);
CREATE INDEX segment_by_site ON segment (site);
CREATE INDEX segment_by_owner ON segment (owner) WHERE owner IS NOT NULL;

CREATE TABLE annotation (
    id      bigint PRIMARY KEY,
    site    bigint NOT NULL,
    at      text   COLLATE "C" NOT NULL,  -- a date or a minute by the clocks of the site's zone
    text    text   NOT NULL,
    link    text   NOT NULL,
    kind    text   NOT NULL,  -- model.annotation.AnnotationKind
    owner   bigint,          -- an account; NULL: of the site
    created bigint NOT NULL,
    updated bigint NOT NULL
);
CREATE INDEX annotation_by_time ON annotation (site, at, id);
CREATE INDEX annotation_by_owner ON annotation (owner) WHERE owner IS NOT NULL;

-- Versions that were last seen at a start, of the program and of its list of bots.
CREATE TABLE seen_version (
    part    text NOT NULL PRIMARY KEY,
    version text NOT NULL
);
