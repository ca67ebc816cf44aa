-- Queries of exports. Bots' hits are left out. Names of paths and campaigns are passed as columns in JSON.

-- name: newest_hit(site)$
-- The id of a site's newest hit.
SELECT coalesce(max(id), 0) FROM hit WHERE site = :site;

-- name: export_chunk(site, after, through, max_rows)^
-- The next hits by id: their number, the greatest id, and their paths.
SELECT count(*), max(id), list(DISTINCT path)
FROM (
    SELECT id, path FROM hit
    WHERE site = :site AND bot = 0 AND id > :after AND id <= :through
    ORDER BY id LIMIT :max_rows
);

-- name: export_lines(site, after, through, names)$
-- Hits as lines of CSV in GoatCounter's version 2. Its sessions have 128 bits in two halves; ours fill the lower
-- ends of both. Names without a version keep the space after them.
WITH
    given AS (SELECT from_json(:names, '{"id": ["INTEGER"], "path": ["VARCHAR"], "title": ["VARCHAR"]}') AS names),
    named AS (SELECT unnest(names.id) AS id, unnest(names.path) AS path, unnest(names.title) AS title FROM given),
    cells AS (
        SELECT
            hit.id, event, session, ref_scheme, width, country, region, first, created,
            named.path, named.title, ref,
            if(browser = '', '', concat(browser, ' ', browser_version)) AS browser,
            if(system = '', '', concat(system, ' ', system_version)) AS system
        FROM hit JOIN named ON named.id = hit.path
        WHERE site = :site AND bot = 0 AND hit.id > :after AND hit.id <= :through
    ),
    quoted AS (
        SELECT * REPLACE (
            if(regexp_matches(path, '[",\r\n]'), concat('"', replace(path, '"', '""'), '"'), path) AS path,
            if(regexp_matches(title, '[",\r\n]'), concat('"', replace(title, '"', '""'), '"'), title) AS title,
            if(regexp_matches(ref, '[",\r\n]'), concat('"', replace(ref, '"', '""'), '"'), ref) AS ref,
            if(regexp_matches(browser, '[",\r\n]'), concat('"', replace(browser, '"', '""'), '"'), browser) AS browser,
            if(regexp_matches(system, '[",\r\n]'), concat('"', replace(system, '"', '""'), '"'), system) AS system
        )
        FROM cells
    )
SELECT string_agg(
    concat(
        path, ',', title, ',', event::INTEGER, ',,', browser, ',', system, ',',
        format('{:x}-{:x}', session >> 32, session & 4294967295), ',0,', ref, ',', ref_scheme, ',"', width, ',0,1",',
        country, if(region = '', '', concat('-', region)), ',', first::INTEGER, ',',
        strftime(make_timestamp(created * 1000000), '%Y-%m-%dT%H:%M:%SZ'), chr(10)
    ),
    '' ORDER BY id
)
FROM quoted;

-- name: visit_windows(site, since, window_s)
-- The windows of ``window_s`` seconds, counted from 1970, in which a site was visited.
SELECT DISTINCT created // :window_s FROM hit
WHERE site = :site AND bot = 0 AND first AND created >= :since
ORDER BY ALL;

-- name: hit_stats(site, since, until)
-- Visits by hour, path and referrer.
SELECT created - (created % 3600 + 3600) % 3600 AS hour, path, ref, ref_scheme, count(*)
FROM hit WHERE site = :site AND bot = 0 AND first AND created >= :since AND created < :until
GROUP BY ALL ORDER BY ALL;

-- name: browser_stats(site, since, until)
-- Visits by day, path and browser.
SELECT created - (created % 86400 + 86400) % 86400 AS day, path, browser, browser_version, count(*)
FROM hit WHERE site = :site AND bot = 0 AND first AND created >= :since AND created < :until
GROUP BY ALL ORDER BY ALL;

-- name: system_stats(site, since, until)
-- Visits by day, path and system.
SELECT created - (created % 86400 + 86400) % 86400 AS day, path, system, system_version, count(*)
FROM hit WHERE site = :site AND bot = 0 AND first AND created >= :since AND created < :until
GROUP BY ALL ORDER BY ALL;

-- name: location_stats(site, since, until)
-- Visits by day, path, country and region.
SELECT created - (created % 86400 + 86400) % 86400 AS day, path, country, region, count(*)
FROM hit WHERE site = :site AND bot = 0 AND first AND created >= :since AND created < :until
GROUP BY ALL ORDER BY ALL;

-- name: size_stats(site, since, until)
-- Visits by day, path and width of the screen.
SELECT created - (created % 86400 + 86400) % 86400 AS day, path, CAST(width AS UINTEGER) AS width, count(*)
FROM hit WHERE site = :site AND bot = 0 AND first AND created >= :since AND created < :until
GROUP BY ALL ORDER BY ALL;

-- name: language_stats(site, since, until)
-- Visits by day, path and language.
SELECT created - (created % 86400 + 86400) % 86400 AS day, path, language, count(*)
FROM hit WHERE site = :site AND bot = 0 AND first AND created >= :since AND created < :until
GROUP BY ALL ORDER BY ALL;

-- name: used_names(site, after, through)^
-- The distinct paths, pages of events among them, and campaigns of hits after an id, and the number of these hits.
SELECT
    count(*), max(id),
    list_distinct(coalesce(list(DISTINCT path), []) || coalesce(list(DISTINCT page) FILTER (page IS NOT NULL), [])),
    coalesce(list(DISTINCT campaign) FILTER (campaign IS NOT NULL), [])
FROM hit WHERE site = :site AND bot = 0 AND id > :after AND id <= :through;

-- name: export_parquet(site, after, through, paths, campaigns, file)!
-- Write all stored data of hits to a Parquet file.
COPY (
    WITH
        given AS (SELECT from_json(:paths, '{"id": ["INTEGER"], "path": ["VARCHAR"], "title": ["VARCHAR"]}') AS p),
        paths AS (SELECT unnest(p.id) AS id, unnest(p.path) AS path, unnest(p.title) AS title FROM given),
        also_given AS (SELECT from_json(:campaigns, '{"id": ["INTEGER"], "name": ["VARCHAR"]}') AS c),
        campaigns AS (SELECT unnest(c.id) AS id, unnest(c.name) AS name FROM also_given)
    SELECT
        hit.id, paths.path, paths.title, event, session, first, ref, ref_scheme,
        coalesce(campaigns.name, '') AS campaign, browser, browser_version, system, system_version,
        country, region, language, CAST(width AS UINTEGER) AS width, make_timestamp(created * 1000000) AS created,
        utm_source, utm_medium, utm_content, utm_term, host, source, channel,
        coalesce(pages.path, '') AS page, props, interactive, device
    FROM hit JOIN paths ON paths.id = hit.path LEFT JOIN campaigns ON campaigns.id = hit.campaign
        LEFT JOIN paths AS pages ON pages.id = hit.page
    WHERE site = :site AND bot = 0 AND hit.id > :after AND hit.id <= :through
    ORDER BY hit.id
) TO :file (FORMAT parquet, COMPRESSION zstd);
