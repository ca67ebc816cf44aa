"""Rebuilds the writer's memory from the rows."""

from collections.abc import Iterable, Mapping

from tallystick.model.hit import SESSION_S
from tallystick.warehouse.duckdb.queried import QuerySession
from tallystick.warehouse.duckdb.sessions import KEYS_KEPT_S, SESSIONS_KEPT, VisitorSession


def highest_id(session: QuerySession) -> int:
    """The highest id that was given; 0 without one."""
    return int(session.queries.highest_id(session.connection))


def rebuild(session: QuerySession, now: int) -> tuple[Iterable[VisitorSession], Mapping[int, int], int]:
    """The sessions living at a time, oldest last hit first; visitors' keys by session; the time since which they live.

    Args:
        now: Unix seconds.
    """
    alive, since = now - SESSION_S, now - KEYS_KEPT_S
    rows = session.queries.living_sessions(session.connection, since=since, alive=alive, max_rows=SESSIONS_KEPT)
    keys = session.queries.visitor_keys(session.connection, since=since)
    return [VisitorSession(*row) for row in rows], dict(keys), alive
