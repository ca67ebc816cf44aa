-- Numbers of the visitor counter.

-- name: visits_shown(site, path, begin, end)$
-- Visits of a site, or of one of its paths, from a second until before another.
SELECT count(*) FROM hit
WHERE site = :site AND first AND bot = 0 AND created >= :begin AND created < :end
    AND (CAST(:path AS BIGINT) IS NULL OR path = :path);

-- name: visits_in_parts(site, begin, end, seconds)
-- Visits of a site in each part of so many seconds, from a second until before another; parts without are left out.
SELECT (created - :begin) // :seconds AS part, count(*) FROM hit
WHERE site = :site AND first AND bot = 0 AND created >= :begin AND created < :end
GROUP BY part;
