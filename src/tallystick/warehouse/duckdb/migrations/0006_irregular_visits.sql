-- Visits that are not regular, or were changed: questions about pages and hosts read their hits. A visit is regular when
-- each of its paths has exactly one hit that is the first, and when all of its hits are on the host of its first
-- pageview, if it has one.
CREATE TABLE irregular_visit (
    site    INTEGER NOT NULL,
    session UBIGINT NOT NULL,
    started BIGINT  NOT NULL,  -- of the visit, when it was judged or changed
    ended   BIGINT  NOT NULL,
    judged  BOOLEAN NOT NULL   -- false: it was changed, and may be regular
);

-- Visits that ended until then, and are not in `irregular_visit`, are regular. NULL: none has been judged yet.
ALTER TABLE mark ADD COLUMN judged_until BIGINT;
