-- Statistics: each is one pass over the columns that it names. selecting.py prepends the definitions of their sources:
-- `picked` are the hits of a selection; its `hour` is local time in the period's zone, counted from midnight of the
-- first date. `counted` are visits by the `value` of a dimension, or by referrer.

-- name: hours()
-- Visits, and how many of them are events, by hour.
SELECT hour, count(*), count(*) FILTER (event) FROM picked WHERE first GROUP BY hour;

-- name: visits()$
-- The number of visits.
SELECT count(*) FROM picked WHERE first;

-- name: pageviews()$
-- The number of hits that are not events.
SELECT count(*) FROM picked WHERE NOT event;

-- name: top_paths(without, visits, path, max_rows)
-- The most visited paths after a given path and its number of visits, without some paths.
SELECT path, count(*) AS visits FROM picked WHERE first GROUP BY path
HAVING path NOT IN (SELECT unnest(CAST(:without AS BIGINT[])))
    AND (count(*) < :visits OR (count(*) = :visits AND path < :path))
ORDER BY visits DESC, path DESC LIMIT :max_rows;

-- name: path_hours(listed, hour_unit)
-- Visits of some paths by hour: one list a path, hour and visits in one number. A year of twenty paths is 175,000 of
-- them, and they reach Python in half the time that rows take.
SELECT path, list(hour * :hour_unit + visits) FROM (
    SELECT path, hour, count(*) AS visits FROM picked
    WHERE first AND path IN (SELECT unnest(CAST(:listed AS BIGINT[])))
    GROUP BY path, hour
) GROUP BY path;

-- name: values(skipped, max_rows)
-- Visits by value, most first.
SELECT value, sum(visits) AS visits FROM counted GROUP BY value
ORDER BY visits DESC, value LIMIT :max_rows OFFSET :skipped;

-- name: referrers(own, skipped, max_rows)
-- Visits by referrer, most first. Referrers compare without regard to case and to how they came (as an address, as a
-- campaign's source), and are shown in their most frequent spelling; of equally frequent ones in lower case. ``own`` is
-- left out, and what is behind it.
SELECT value, arg_max(ref, (visits, ref)), arg_max(ref_scheme, 8 * visits + instr('ocgh', ref_scheme)), sum(visits) AS visits
FROM counted
WHERE :own = '' OR value <> :own AND NOT (
    starts_with(value, :own) AND substr(value, length(:own) + 1, 1) IN ('/', ':', '?', '#')
)
GROUP BY value
ORDER BY visits DESC, min(ref) <> '', value LIMIT :max_rows OFFSET :skipped;

-- name: referrers_as_seen(skipped, max_rows)
-- The same for all referrers; those with equal visits are in the order of their first hits. This costs half as much
-- again, so it is used for few hits only.
SELECT value, arg_max(ref, (visits, ref)), arg_max(ref_scheme, 8 * visits + instr('ocgh', ref_scheme)), sum(visits) AS visits
FROM counted GROUP BY value
ORDER BY visits DESC, min(ref) <> '', min(seen), value LIMIT :max_rows OFFSET :skipped;

-- name: value_figures(listed)
-- Sessions and pageviews of some values.
SELECT value, count(DISTINCT session) FILTER (session <> 0), count(*) FILTER (NOT event) FROM picked
WHERE value IN (SELECT unnest(:listed)) GROUP BY value;

-- name: present(since)
-- Visitors and the newest hit of each site since a moment; a hit without a session is a visitor if it is a first visit.
SELECT site, count(DISTINCT session) FILTER (session <> 0) + count(*) FILTER (session = 0 AND first), max(id) FROM hit
WHERE created >= :since AND bot = 0 GROUP BY site;

-- name: bots_by_code(site, since, until)
-- Hits of bots, by code, most first.
SELECT bot, count(*) AS hits FROM hit
WHERE site = :site AND created >= :since AND created < :until AND bot > 0 GROUP BY bot ORDER BY hits DESC, bot;

-- name: prop_names(sites, since, until, pair, max_rows)
-- Names of properties of people's hits, as JSON spells them, those of the most hits first. Each text is taken apart once.
SELECT name FROM (
    SELECT unnest(regexp_extract_all(props, :pair, 1)) AS name, hits FROM (
        SELECT props, count(*) AS hits FROM hit
        WHERE site IN (SELECT unnest(CAST(:sites AS BIGINT[]))) AND created >= :since AND created < :until AND bot = 0
            AND props != ''
        GROUP BY props
    )
) GROUP BY name ORDER BY sum(hits) DESC, name LIMIT :max_rows;

-- name: latest_bots(site, since, until, codes, before, max_rows)
-- The latest hits of some codes, before an id.
SELECT id, path, bot, ref, ref_scheme, browser, system, country, created FROM hit
WHERE site = :site AND created >= :since AND created < :until AND id < :before
    AND bot IN (SELECT unnest(CAST(:codes AS INTEGER[])))
ORDER BY id DESC LIMIT :max_rows;
