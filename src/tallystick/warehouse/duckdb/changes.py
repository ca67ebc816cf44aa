"""What changes about hits that are stored: functions of ``(session, ...)`` for ``Warehouse.write``.

Each may be made twice and then changes nothing the second time: a job is repeated after a crash.
"""

from collections.abc import Iterable, Sequence

import msgspec

from tallystick.model.hit import SESSION_S
from tallystick.model.session import BUCKETS_LOOKED_AT
from tallystick.warehouse.duckdb.queried import QuerySession

REQUESTS_KEPT_S = 24 * 3_600

_encode = msgspec.json.Encoder().encode


def delete_site(session: QuerySession, site: int) -> int:
    """Remove every hit of a site; returns how many there were."""
    return int(session.queries.delete_site(session.connection, site=site))


def delete_paths(session: QuerySession, site: int, paths: Sequence[int]) -> int:
    """Remove every hit of some paths; returns how many there were."""
    session.sessions_outdated = True
    return int(session.queries.delete_paths(session.connection, site=site, paths=_json(paths)))


def merge_paths(session: QuerySession, site: int, paths: Sequence[int], into: int) -> int:
    """Give the hits of some paths to another one, where a session's first visit counts once; returns how many."""
    session.sessions_outdated = True
    moved = int(session.queries.move_paths(session.connection, site=site, paths=_json(paths), into=into))
    session.queries.first_once(session.connection, site=site, path=into)
    return moved


def relabel(session: QuerySession, site: int, bot: int, into: int, span: tuple[int, int]) -> list[int]:
    """Give hits of one bot code another; returns the paths of all hits of the new code, also if they had it before.

    Args:
        bot, into: ``Bot`` codes, 0 for people.
        span: the first and the last id of the hits.
    """
    first, last = span
    session.sessions_outdated = True
    session.queries.relabel(session.connection, site=site, bot=bot, into=into, first=first, last=last)
    rows = session.queries.paths_of_label(session.connection, site=site, bot=into, first=first, last=last)
    return [int(path) for (path,) in rows]


def expire(session: QuerySession, limits: Iterable[tuple[int, int]]) -> int:
    """Remove hits that are older than their site keeps them; returns how many.

    Args:
        limits: site, and the Unix second before which nothing is kept.
    """
    sites, before = zip(*limits, strict=True)
    return int(session.queries.expire(session.connection, limits=_json({"site": sites, "before": before})))


def count_expired(session: QuerySession, limits: Iterable[tuple[int, int]]) -> int:
    """How many hits ``expire`` would remove."""
    sites, before = zip(*limits, strict=True)
    encoded = _json({"site": sites, "before": before})
    return int(session.queries.count_expired(session.connection, limits=encoded))


def newest_time(session: QuerySession) -> int:
    """The time of the newest hit, Unix seconds; 0 without hits."""
    return int(session.queries.newest_time(session.connection))


def forget_old(session: QuerySession, now: int, passed: int) -> None:
    """Remove answers that need not be repeated any more, and keys of sessions that have ended.

    Args:
        now: the wall clock, Unix seconds.
        passed: seconds of the clock that requests are stamped with (``Ledger.passed``).
    """
    session.queries.forget_requests(session.connection, before=passed - REQUESTS_KEPT_S)
    session.queries.forget_renamed(session.connection, before=now - BUCKETS_LOOKED_AT * SESSION_S)


def _json(value: object) -> str:
    return _encode(value).decode()
