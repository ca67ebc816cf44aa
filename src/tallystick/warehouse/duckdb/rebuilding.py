"""Rebuilds the writer's memory from the rows."""

from collections.abc import Iterable

from tallystick.model.hit import SESSION_S
from tallystick.model.session import BUCKETS_LOOKED_AT
from tallystick.warehouse.duckdb.queried import QuerySession
from tallystick.warehouse.duckdb.sessions import SESSIONS_KEPT, VisitorSession


def highest_id(session: QuerySession) -> int:
    """The highest id that was given; 0 without one."""
    return int(session.queries.highest_id(session.connection))


def rebuild(session: QuerySession, now: int) -> tuple[Iterable[VisitorSession], Iterable[tuple[int, int]]]:
    """The sessions living at a time, oldest last hit first, and (key, session id) of renamed visitors.

    Args:
        now: Unix seconds.
    """
    alive, since = now - SESSION_S, now - BUCKETS_LOOKED_AT * SESSION_S
    rows = session.queries.living_sessions(session.connection, since=since, alive=alive, max_rows=SESSIONS_KEPT)
    renamed = session.queries.renamed_visitors(session.connection, since=since)
    return [VisitorSession(*row) for row in rows], list(renamed)
