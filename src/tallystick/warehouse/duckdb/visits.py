"""The table ``visit``: what a visit is, as SQL over hits, and how the table follows its hits.

Every function that changes it runs in the transaction that changes the hits.
"""

# ruff: noqa: S608  # the text consists of constants and numbers

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from tallystick.model.hit import SESSION_S
from tallystick.warehouse.duckdb import regular
from tallystick.warehouse.duckdb.queried import Connection
from tallystick.warehouse.duckdb.rows import Content
from tallystick.warehouse.types import ComparedVisits

OF_FIRST_HIT = (
    "source",
    "channel",
    "ref",
    "ref_scheme",
    "utm_source",
    "utm_medium",
    "utm_content",
    "utm_term",
    "campaign",
    "browser",
    "browser_version",
    "system",
    "system_version",
    "country",
    "region",
    "language",
    "width",
    "device",
)
"""Columns of a visit that have the values of its first hit, by time and id."""

OF_PAGEVIEWS = ("entry_page", "exit_page", "entry_host", "exit_host")
"""Columns of a visit that have values of its first and its last pageview."""

OF_TIMES_AND_SUMS = ("site", "session", "started", "ended", "pageviews", "events", "firsts")
ADDED = ("passive_events", "inner_pages")
COLUMNS = (*OF_TIMES_AND_SUMS, *OF_PAGEVIEWS, *OF_FIRST_HIT, *ADDED)
"""All columns of ``visit``, in their order."""

MOST_VIEWED = 250
"""Pageviews of a visit whose ``inner_pages`` are kept; of a visit with more they are NULL, and only its hits have them.
So a row has a limit, and a visit that goes on and on does not write ever more with each of its hits."""

OWN_OF_HITS = ("id", "site", "session", "first", "event", "path", "host", "created", "interactive")
"""Columns of hits that every visit is made of."""

SOURCE = (
    "CASE WHEN channel <> '' OR ref = '' THEN source"
    " WHEN ref_scheme = 'h' THEN regexp_extract(ref, '^(?:www[.])?([^/:?#]*)', 1) ELSE ref END"
)
"""The source of a hit. Hits of older versions have neither source nor channel: theirs follows from the referrer."""


def columns_with(of_first: Sequence[str]) -> tuple[str, ...]:
    """The columns of ``visit``, of those with values of the first hit only some."""
    return (*OF_TIMES_AND_SUMS, *OF_PAGEVIEWS, *of_first, *ADDED)


def hit_columns(of_first: Sequence[str] = OF_FIRST_HIT) -> str:
    """The columns of ``hit`` that visits are made of.

    Args:
        of_first: columns with values of the first hit, of which there may be fewer.
    """
    return ", ".join([*OWN_OF_HITS, *_of_first_hit(of_first)])


def visits_of(hits: str, of_first: Sequence[str] = OF_FIRST_HIT) -> str:
    """The SELECT of one row for each visit.

    Args:
        hits: a relation with the columns of ``hit_columns``: people's hits with a session.
        of_first: as there.
    """
    opened = ", ".join(f"'{name}': {name}" for name in of_first)
    listed = "".join(f", opened.{name} AS {name}" for name in of_first)
    groups = _groups(hits, f"{{{opened}}}" if opened else "id")
    return f"SELECT {_OF_GROUPS}{listed}, passive_events, {_INNER} FROM ({groups}) AS visits"


def _few_visits_of(hits: str) -> str:
    """The same for some thousand hits: the first hits are joined, which is cheaper than to gather their columns.

    Of millions, the join would need too much memory.
    """
    of_first = ", ".join(f"few.{name}" for name in OF_FIRST_HIT)
    return (
        f"WITH few AS MATERIALIZED (SELECT * FROM {hits}) SELECT {_OF_GROUPS}, {of_first}, passive_events,"
        f" {_INNER}"
        f" FROM ({_groups('few', 'id')}) AS visits JOIN few ON few.id = opened"
    )


_OF_GROUPS = (
    "visits.site, visits.session, started, ended, pageviews, events, firsts,"
    " entered.path AS entry_page, left_at.path AS exit_page,"
    " coalesce(entered.host, '') AS entry_host, coalesce(left_at.host, '') AS exit_host"
)
_INNER = f"CASE WHEN pageviews <= {MOST_VIEWED} THEN coalesce(viewed[2:-2], []) END AS inner_pages"


def _groups(hits: str, opened: str) -> str:
    page = "{'path': path, 'host': host}"
    return (
        "SELECT site, session, min(created) AS started, max(created) AS ended,"
        " CAST(count(*) FILTER (NOT event) AS UINTEGER) AS pageviews,"
        " CAST(count(*) FILTER (event AND NOT interactive) AS UINTEGER) AS passive_events,"
        " CAST(count(*) FILTER (event) AS UINTEGER) AS events, CAST(count(*) FILTER (first) AS UINTEGER) AS firsts,"
        " list(path ORDER BY created, id) FILTER (NOT event) AS viewed,"
        f" arg_min({page}, (created, id)) FILTER (NOT event) AS entered,"
        f" arg_max({page}, (created, id)) FILTER (NOT event) AS left_at,"
        f" arg_min({opened}, (created, id)) AS opened FROM {hits} GROUP BY site, session"
    )


_OF_HITS = {"source": f"{SOURCE} AS source", "width": "CAST(width AS UINTEGER) AS width"}
"""Columns of the first hit that are not taken as they are. Widths are texts in hits, which take fewer bytes."""


def _of_first_hit(of_first: Sequence[str]) -> list[str]:
    return [_OF_HITS.get(name, name) for name in of_first]


# Following new hits. Rows are replaced: updating them costs DuckDB ten times what deleting and inserting them costs.

_ARRIVED = _few_visits_of(f"(SELECT {hit_columns()} FROM hit WHERE id > $3 AND bot = 0 AND session <> 0)")
"""The visits of hits that were just inserted, as if there were no others."""
_NEARBY = f"visit.ended >= $1 - {SESSION_S} AND visit.started <= $2 + {SESSION_S}"
"""The visits that hits from $1 to $2 may belong to. A session is continued within eight hours of its hits
(``model/session.py``); with these bounds DuckDB skips the visits of other times."""
_SAME = "visit.site = {0}.site AND visit.session = {0}.session"
_SUMS = ("pageviews", "events", "firsts", "passive_events")
_VIEWED = (
    "CASE {0}.pageviews WHEN 0 THEN [] WHEN 1 THEN [{0}.entry_page]"
    " ELSE list_concat([{0}.entry_page], {0}.inner_pages, [{0}.exit_page]) END"
)
"""All pages of a visit that has no more than ``MOST_VIEWED``."""
_CONTINUED = {
    "ended": "arrived.ended",
    **{name: f"coalesce(visit.{name}, 0) + arrived.{name}" for name in _SUMS},
    "entry_page": "coalesce(visit.entry_page, arrived.entry_page)",
    "exit_page": "coalesce(arrived.exit_page, visit.exit_page)",
    "entry_host": "if(visit.entry_page IS NULL, arrived.entry_host, visit.entry_host)",
    "exit_host": "if(arrived.exit_page IS NULL AND visit.session IS NOT NULL, visit.exit_host, arrived.exit_host)",
    "inner_pages": (
        "CASE WHEN visit.session IS NULL THEN arrived.inner_pages"
        f" WHEN visit.pageviews + arrived.pageviews <= {MOST_VIEWED}"
        f" THEN list_concat({_VIEWED.format('visit')}, {_VIEWED.format('arrived')})[2:-2] END"
    ),
}
"""Columns of a visit after hits that arrived, none of which is before its last one. Others are those of its first."""
_GATHERED = ", ".join(
    _CONTINUED.get(name, f"if(visit.session IS NULL, arrived.{name}, visit.{name})") + f" AS {name}" for name in COLUMNS
)


def _gather(arrived: str) -> str:
    """The statement that writes visits with hits that arrived to ``gathered``."""
    return (
        f"INSERT INTO gathered WITH arrived AS MATERIALIZED ({arrived}) SELECT {_GATHERED}, visit.session IS NOT NULL"
        f" FROM arrived LEFT JOIN (SELECT * FROM visit WHERE {_NEARBY}) AS visit ON {_SAME.format('arrived')}"
    )


_KNOWN = "SELECT (SELECT max(ended) FROM visit WHERE ended > $1), judged_until FROM mark"
_REMOVE = f"DELETE FROM visit USING gathered WHERE continued AND {_SAME.format('gathered')} AND {_NEARBY}"
_LATE = (
    "CREATE TEMP TABLE touched AS SELECT visit.site, visit.session, least(visit.started, arrived.started) AS started,"
    f" greatest(visit.ended, arrived.ended) AS ended FROM ({_ARRIVED}) AS arrived"
    f" JOIN (SELECT * FROM visit WHERE {_NEARBY}) AS visit ON {_SAME.format('arrived')}"
    " WHERE arrived.started < visit.ended"
)


def prepare(connection: Connection) -> None:
    """Prepare the statements of moves on a writing connection."""
    connection.execute("CREATE TEMP TABLE gathered AS SELECT *, false AS continued FROM visit WHERE session = 0")
    connection.execute(f"PREPARE gather_visits AS {_gather(_ARRIVED)}")
    connection.execute(f"PREPARE remove_gathered AS {_REMOVE}")
    connection.execute("PREPARE insert_gathered AS INSERT INTO visit SELECT * EXCLUDE (continued) FROM gathered")
    connection.execute("PREPARE clear_gathered AS DELETE FROM gathered")


def follow(connection: Connection, contents: Sequence[Content]) -> None:
    """Add hits that were just inserted to their visits.

    Visits with a hit that is before their last one are computed anew.
    """
    times = [created for content in contents for created in content.hits.created]
    if not times:
        return
    begin, end = min(times), max(times)
    before = min(content.hits.id[0] for content in contents if content.hits.id) - 1
    [(newest, judged_until)] = connection.execute(_KNOWN, [begin]).fetchall()
    if newest is None:
        connection.execute(f"EXECUTE gather_visits({begin}, {end}, {before})")
    else:
        with _touched(connection, _LATE, [begin, end, before]) as late:
            if late:
                recompute(connection)
            others = f"SELECT * FROM ({_ARRIVED}) ANTI JOIN touched USING (site, session)"
            connection.execute(_gather(others), [begin, end, before])
    if judged_until is not None and begin <= judged_until:
        regular.note_changed(connection, f"gathered WHERE ended <= {judged_until}")
    connection.execute(f"EXECUTE remove_gathered({begin}, {end})")
    connection.execute("EXECUTE insert_gathered")
    connection.execute("EXECUTE clear_gathered")


# Changes.

_LIMITS = "(SELECT unnest(CAST($1 AS INTEGER[])) AS site, unnest(CAST($2 AS BIGINT[])) AS before) AS kept"


@contextmanager
def touched(connection: Connection, hits: str, parameters: Sequence[object]) -> Iterator[None]:
    """Compute the visits of hits that the block changes anew.

    Args:
        hits: the condition of those hits, before they are changed.
    """
    select = (
        "CREATE TEMP TABLE touched AS SELECT site, session, min(created) AS started, max(created) AS ended FROM hit"
        f" SEMI JOIN (SELECT site, session FROM hit WHERE session <> 0 AND {hits}) AS changed USING (site, session)"
        " GROUP BY site, session"
    )
    with _touched(connection, select, parameters):
        yield
        recompute(connection)


@contextmanager
def expired(connection: Connection, sites: Sequence[int], before: Sequence[int]) -> Iterator[None]:
    """Remove visits that have ended before the limit of their site; compute those anew that go on behind it.

    Args:
        sites, before: a limit each: a site, and the Unix second before which the block removes hits.
    """
    limits = [list(sites), list(before)]
    removed = f"SELECT visit.site, session FROM visit, {_LIMITS} WHERE visit.site = kept.site AND ended < before"
    connection.execute(
        f"DELETE FROM irregular_visit USING {_LIMITS} WHERE irregular_visit.site = kept.site AND ended < before"
        f" AND (irregular_visit.site, session) IN ({removed})",
        limits,
    )
    connection.execute(f"DELETE FROM visit USING {_LIMITS} WHERE visit.site = kept.site AND ended < before", limits)
    crossing = f"SELECT visit.* FROM visit, {_LIMITS} WHERE visit.site = kept.site AND started < before"
    select = f"CREATE TEMP TABLE touched AS {crossing}"
    with _touched(connection, select, limits):
        yield
        recompute(connection)


@contextmanager
def part_expired(connection: Connection, site: int, since: int, before: int) -> Iterator[None]:
    """Remove visits of a span; compute those anew that lie partly in it.

    Args:
        since, before: Unix seconds: the block removes the hits of this span.
    """
    # With both limits DuckDB skips the visits of other times.
    near = f"visit WHERE site = {site:d} AND ended >= {since:d} AND started < {before:d}"
    within = f"{near} AND started >= {since:d} AND ended < {before:d}"
    connection.execute(
        f"DELETE FROM irregular_visit WHERE site = {site:d} AND started >= {since:d} AND ended < {before:d}"
        f" AND session IN (SELECT session FROM {within})"
    )
    connection.execute(f"DELETE FROM {within}")
    with _touched(connection, f"CREATE TEMP TABLE touched AS SELECT * FROM {near}", []):
        yield
        recompute(connection)


@contextmanager
def _touched(connection: Connection, select: str, parameters: Sequence[object]) -> Iterator[bool]:
    """A temporary table of visits until the block ends. Yields whether there are any."""
    connection.execute(select, parameters)
    yield bool(connection.execute("SELECT 1 FROM touched LIMIT 1").fetchall())
    connection.execute("DROP TABLE touched")


def recompute(connection: Connection) -> None:
    """Compute the visits in ``touched`` anew, from their hits between ``started`` and ``ended``.

    Another visit of that session's number, at another time, stays as it is (see ``_of_equal_ids``).
    """
    connection.execute(
        "DELETE FROM visit USING touched WHERE visit.site = touched.site AND visit.session = touched.session"
        " AND visit.started <= touched.ended AND visit.ended >= touched.started"
    )
    ((began, ended),) = connection.execute("SELECT min(started), max(ended) FROM touched").fetchall()
    if began is None:
        return
    hits = (
        f"(SELECT {hit_columns()} FROM hit SEMI JOIN touched ON hit.site = touched.site"
        " AND hit.session = touched.session AND hit.created BETWEEN touched.started AND touched.ended"
        f" WHERE bot = 0 AND created BETWEEN {int(began)} AND {int(ended)})"
    )
    connection.execute(f"INSERT INTO visit {visits_of(hits)}")
    regular.note_changed(connection, "touched")


# Hits that were stored before there were visits.

HITS_AT_ONCE = 2_000_000
"""The pages of a part's visits are in memory together: DuckDB cannot write them to the disk."""

log = structlog.get_logger()


def are_computed(connection: Connection) -> bool:
    """Whether the table has the visits of all hits."""
    return connection.execute("SELECT visits FROM mark").fetchall() == [(True,)]


def forget(connection: Connection) -> None:
    """Make the next ``fill`` compute all visits anew; in an open transaction."""
    connection.execute("UPDATE mark SET visits = false")


def fill(connection: Connection, hits_at_once: int | None = None) -> None:
    """Compute all visits, once; in an open transaction. Logs its progress: ten million hits take about ten seconds.

    Args:
        hits_at_once: fewer than usual where there is less memory.
    """
    if not are_computed(connection):
        _compute_all(connection, hits_at_once or HITS_AT_ONCE)
        regular.judge_all(connection)
    elif regular.judged_until(connection) is None:
        regular.judge_all(connection)


def _compute_all(connection: Connection, hits_at_once: int) -> None:
    connection.execute("DELETE FROM visit")
    [(hits,)] = connection.execute("SELECT count(*) FROM hit").fetchall()
    began, parts = time.monotonic(), _spans(connection, -(-hits // hits_at_once))
    for number, part in enumerate(parts, 1):
        log.info("computing visits of stored hits", hits=hits, part=number, parts=len(parts))
        of_part = f"(SELECT {hit_columns()} FROM hit WHERE bot = 0 AND session <> 0 AND {part})"
        # In the order of time, so that DuckDB skips the visits of other times.
        connection.execute(f"INSERT INTO visit {visits_of(of_part)} ORDER BY started")
    connection.execute("UPDATE mark SET visits = true")
    if parts:
        log.info("visits are computed", hits=hits, seconds=round(time.monotonic() - began))


def _spans(connection: Connection, count: int) -> list[str]:
    """Conditions of about as many hits each, whose sessions follow one another: so their visits do, too."""
    if count <= 1:
        return ["true"] * count
    quantiles = [number / count for number in range(1, count)]
    found = connection.execute(
        f"SELECT approx_quantile(session, {quantiles}) FROM hit WHERE bot = 0 AND session <> 0"
    ).fetchone()
    limits = sorted(found[0]) if found and found[0] else []
    return [
        " AND ".join([f"session >= {begin}"] * (begin is not None) + [f"session < {end}"] * (end is not None)) or "true"
        for begin, end in zip([None, *limits], [*limits, None], strict=True)
    ]


# Checking.

HITS_COMPARED_AT_ONCE = 2_000_000
"""Of more, DuckDB writes what it groups to the disk, which takes longer than to read the hits again."""

_VALUES = ", ".join(name for name in COLUMNS if name not in {"site", "session"})


def add_up(connection: Connection) -> bool:
    """Whether all visits together have as many pageviews, events and first hits as the hits: a tenth of a second."""
    of_hits = (
        "SELECT count(*) FILTER (NOT event), count(*) FILTER (event), count(*) FILTER (first),"
        " count(*) FILTER (event AND NOT interactive) FROM hit"
        " WHERE bot = 0 AND session <> 0"
    )
    of_visits = f"SELECT {', '.join(f'coalesce(sum({name}), 0)' for name in _SUMS)} FROM visit"
    return connection.execute(of_hits).fetchall() == connection.execute(of_visits).fetchall()


def compare(connection: Connection) -> ComparedVisits:
    """Compare every visit with its hits. A visit that is missing, superfluous or there twice differs, too."""
    [(hits,)] = connection.execute("SELECT count(*) FROM hit").fetchall()
    parts = max(1, -(-hits // HITS_COMPARED_AT_ONCE))
    visits = differing = 0
    for part in range(parts):
        of_part = f"session % {parts} = {part}"
        computed = visits_of(f"(SELECT {hit_columns()} FROM hit WHERE bot = 0 AND session <> 0 AND {of_part})")
        both = (
            f"SELECT site, session, true AS stored, hash({_VALUES}) AS content FROM visit WHERE {of_part} UNION ALL"
            f" SELECT site, session, false AS stored, hash({_VALUES}) AS content FROM ({computed})"
        )
        groups = (
            "SELECT count(*) = 2 AND bool_or(stored) AND NOT bool_and(stored) AND min(content) = max(content) AS equal"
            f" FROM ({both}) GROUP BY site, session"
        )
        [(found, wrong)] = connection.execute(
            f"SELECT count(*), count(*) FILTER (NOT equal) FROM ({groups})"
        ).fetchall()
        visits, differing = visits + found, differing + wrong
    return ComparedVisits(visits, differing - _of_equal_ids(connection) if differing else 0)


def _of_equal_ids(connection: Connection) -> int:
    """The number of sessions of older versions that have the number of another one by chance, and a row of its own.

    Of forty million such sessions about three do (``model/session.py``). A computation from the hits takes such visits
    for one.
    """
    sums = ", ".join(f"sum({name}) AS {name}" for name in _SUMS)
    apart = (
        f"SELECT site, session, {sums}, min(started) AS started, max(ended) AS ended FROM visit"
        f" GROUP BY site, session HAVING count(*) > 1 AND max(started) - min(ended) > {SESSION_S}"
    )
    hits = f"(SELECT {hit_columns()} FROM hit SEMI JOIN apart USING (site, session) WHERE bot = 0 AND session <> 0)"
    equal = " AND ".join(f"apart.{name} = whole.{name}" for name in (*_SUMS, "started", "ended"))
    [(found,)] = connection.execute(
        f"WITH apart AS MATERIALIZED ({apart}) SELECT count(*) FROM apart JOIN ({visits_of(hits)}) AS whole"
        f" USING (site, session) WHERE {equal}"
    ).fetchall()
    return int(found)
