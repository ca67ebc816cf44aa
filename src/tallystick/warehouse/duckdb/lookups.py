"""Look-ups with one query: functions of ``(session, ...)``."""

from collections.abc import Sequence

import msgspec

from tallystick.model.period import Period
from tallystick.warehouse.duckdb.queried import QuerySession
from tallystick.warehouse.duckdb.questions.props import ONE_PROP, decoded_text
from tallystick.warehouse.types import BotRow, IdempotencyRecord, LabelCount, PathHits, Present


def visits(session: QuerySession, site: int, path: int | None, begin: int, end: int) -> int:
    """Visits of a site, or of one of its paths, from ``begin`` until before ``end``, Unix seconds."""
    return int(session.queries.visits_shown(session.connection, site=site, path=path, begin=begin, end=end))


def visits_in_parts(session: QuerySession, site: int, begin: int, end: int, seconds: int) -> list[int]:
    """Visits of a site in each part of so many seconds from ``begin`` until before ``end``, Unix seconds."""
    parts = [0] * ((end - begin) // seconds)
    rows = session.queries.visits_in_parts(session.connection, site=site, begin=begin, end=end, seconds=seconds)
    for part, visits in rows:
        parts[part] = visits
    return parts


def present(session: QuerySession, since: int) -> dict[int, Present]:
    """Who is there, by site; sites without a hit of a person since then are left out."""
    return {
        site: Present(visitors, newest)
        for site, visitors, newest in session.queries.present(session.connection, since=since)
    }


def prop_names(session: QuerySession, sites: Sequence[int], period: Period, limit: int) -> list[str]:
    """The names of properties of people's hits, those of the most hits first."""
    rows = session.queries.prop_names(
        session.connection,
        sites=list(sites),
        since=period.first,
        until=period.after,
        pair=ONE_PROP,
        max_rows=limit,
    )
    return [decoded_text(name) for (name,) in rows]


def bots_by_code(session: QuerySession, site: int, period: Period) -> list[tuple[int, int]]:
    """Bot codes with their numbers of hits, most hits first."""
    rows: list[tuple[int, int]] = session.queries.bots_by_code(
        session.connection, site=site, since=period.first, until=period.after
    )
    return rows


def latest_bots(  # noqa: PLR0913, PLR0917  # session and filters
    session: QuerySession, site: int, period: Period, codes: Sequence[int], before: int, limit: int
) -> list[BotRow]:
    """The latest hits of some bot codes with ids below ``before``, newest first."""
    rows = session.queries.latest_bots(
        session.connection,
        site=site,
        since=period.first,
        until=period.after,
        codes=list(codes),
        before=before,
        max_rows=limit,
    )
    return [BotRow(*row) for row in rows]


def labels(session: QuerySession, site: int) -> list[LabelCount]:
    """The bot codes of a site's hits, with people's code 0."""
    return [LabelCount(*row) for row in session.queries.labels(session.connection, site=site)]


def hits_of_paths(session: QuerySession, site: int, paths: Sequence[int], limit: int, offset: int) -> list[PathHits]:
    """Some paths with their hits, also those without any: most hits of people first, then of bots, then by id."""
    listed = msgspec.json.encode(paths).decode()
    rows = session.queries.hits_of_paths(session.connection, site=site, paths=listed, max_rows=limit, skipped=offset)
    return [PathHits(*row) for row in rows]


def idempotency_record(session: QuerySession, key: str) -> IdempotencyRecord | None:
    """The idempotency record of a key; None without one."""
    row = session.queries.idempotency_record(session.connection, key=key)
    return IdempotencyRecord(*row) if row else None
