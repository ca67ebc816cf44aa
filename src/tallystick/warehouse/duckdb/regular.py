"""Which visits are regular, so that questions about pages and hosts need not tell their hits apart.

A visit is regular when each of its paths has exactly one hit that is the first, when all of its hits are on the host of
its first pageview, if it has one, and when it has a pageview of each page on which its events happened.

Nearly all visits are regular. Retention, imports and the limits of memory leave paths with none or two first hits.

What must stay true: a visit that is not regular is in ``irregular_visit``, or ended after the mark ``judged_until``.
A move with newer hits changes neither; all other changes enter their visits, as not judged. Judging is done for many
visits at once, because it reads their hits.
"""

# ruff: noqa: S608  # the text consists of constants and numbers

import time

import structlog

from tallystick.warehouse.duckdb.queried import Connection

BEFORE_ALL = -(1 << 62)
"""``judged_until`` of a warehouse without visits."""
HITS_AT_ONCE = 5_000_000

_SAME = (
    "irregular_visit.site = judging.site AND irregular_visit.session = judging.session"
    " AND irregular_visit.started <= judging.ended AND irregular_visit.ended >= judging.started"
)
"""Two visits of older versions may have one number by chance, at different times: each has an entry of its own."""
_IS_IN_ROW = "(events = 0 AND pageviews <= 2)"
"""Whether the visit's row says everything about its hits."""
_REGULAR_BY_ROW = (
    "CASE WHEN events = 0 AND pageviews = 1 THEN firsts = 1 WHEN events = 0 AND pageviews = 2"
    " THEN firsts = if(entry_page = exit_page, 1, 2) AND entry_host = exit_host END"
)

log = structlog.get_logger()


def judged_until(connection: Connection) -> int | None:
    """Visits that ended by then are regular unless they are in ``irregular_visit``; None before the first judgement."""
    [(until,)] = connection.execute("SELECT judged_until FROM mark").fetchall()
    return None if until is None else int(until)


def note_changed(connection: Connection, visits: str) -> None:
    """Enter visits that were changed, to be judged.

    Args:
        visits: what follows FROM: rows with a visit's site, session, ``started`` and ``ended``.
    """
    connection.execute(f"INSERT INTO irregular_visit SELECT site, session, started, ended, false FROM {visits}")


def judge(connection: Connection) -> None:
    """Judge the visits that were changed or have ended since the last time; in an open transaction.

    However many visits there are, only those of the times that matter are looked at.
    """
    until = judged_until(connection)
    until = BEFORE_ALL if until is None else until
    changed = "SELECT site, session FROM irregular_visit WHERE NOT judged"
    [(began, ended)] = connection.execute(
        "SELECT min(started), max(ended) FROM irregular_visit WHERE NOT judged"
    ).fetchall()
    if began is not None:
        # The times are those before or after the change: a visit that is there still lies partly in them.
        near = f"ended BETWEEN {int(began)} AND {until} AND started <= {int(ended)}"
        _collect(connection, f"(SELECT * FROM visit WHERE {near}) SEMI JOIN ({changed}) USING (site, session)")
        # Some of these are no visits any more. An entry from another time is that of another visit with this number.
        connection.execute(
            f"DELETE FROM irregular_visit WHERE (site, session) IN ({changed})"
            f" AND ended >= {int(began)} AND started <= {int(ended)}"
        )
        _judge(connection)
    _collect(connection, f"visit WHERE ended > {until}")
    _judge(connection)
    _note_judged(connection, until)


def judge_all(connection: Connection) -> None:
    """Judge all visits, once; in an open transaction. Logs its progress."""
    connection.execute("DELETE FROM irregular_visit")
    [(hits,)] = connection.execute("SELECT count(*) FROM hit").fetchall()
    parts, began = -(-hits // HITS_AT_ONCE), time.monotonic()
    for part in range(parts):
        log.info("judging visits of stored hits", hits=hits, part=part + 1, parts=parts)
        _collect(connection, f"visit WHERE session % {parts} = {part}")
        _judge(connection)
    _note_judged(connection)
    if parts:
        log.info("visits are judged", hits=hits, seconds=round(time.monotonic() - began))


def _note_judged(connection: Connection, before: int = BEFORE_ALL) -> None:
    """Note that all visits are judged.

    Args:
        before: until when they were before.
    """
    newest = f"SELECT coalesce(max(ended), {before}) FROM visit WHERE ended > {before}"
    connection.execute(f"UPDATE mark SET judged_until = ({newest})")


def _collect(connection: Connection, visits: str) -> None:
    """Make a temporary table of visits that are to be judged.

    Args:
        visits: what follows FROM.
    """
    connection.execute(
        "CREATE TEMP TABLE judging AS SELECT site, session, started, ended,"
        # Hits of a visit without a pageview may be on any hosts.
        " CASE WHEN entry_page IS NOT NULL THEN entry_host END AS host,"
        f" {_IS_IN_ROW} AS in_row, {_REGULAR_BY_ROW} AS regular FROM {visits}"
    )


def _judge(connection: Connection) -> None:
    """Replace the entries of the visits that were collected."""
    connection.execute(f"DELETE FROM irregular_visit USING judging WHERE {_SAME}")
    entered = "INSERT INTO irregular_visit SELECT judging.site, judging.session, started, ended, true FROM judging"
    connection.execute(f"{entered} WHERE in_row AND NOT regular")
    [(began, ended)] = connection.execute("SELECT min(started), max(ended) FROM judging WHERE NOT in_row").fetchall()
    if began is not None:
        paths = (
            "SELECT site, session, count(*) FILTER (first) AS firsts,"
            " count(*) FILTER (hit.host <> judging.host) AS elsewhere"
            " FROM hit JOIN (SELECT site, session, host FROM judging WHERE NOT in_row) AS judging USING (site, session)"
            f" WHERE bot = 0 AND created BETWEEN {int(began)} AND {int(ended)} GROUP BY site, session, path, event"
        )
        hits = f"hit WHERE bot = 0 AND session <> 0 AND created BETWEEN {int(began)} AND {int(ended)}"
        told = f"SELECT site, session, page FROM {hits} AND event AND page IS NOT NULL"
        of_tellers = f"{hits} AND NOT event AND (site, session) IN (SELECT (site, session) FROM told)"
        viewed = f"SELECT site, session, path AS page FROM {of_tellers}"
        judged = "SELECT site, session FROM judging WHERE NOT in_row"
        irregular = (
            f"WITH told AS MATERIALIZED ({told}) SELECT site, session FROM ({paths}) WHERE firsts <> 1 OR elsewhere > 0"
            f" UNION SELECT site, session FROM (SELECT * FROM told EXCEPT {viewed}) SEMI JOIN ({judged}) AS judged"
            " USING (site, session)"
        )
        connection.execute(f"{entered} JOIN ({irregular}) AS irregular USING (site, session)")
    connection.execute("DROP TABLE judging")
