"""Data for exports: functions of ``(session, ...)``. Only hits of people are exported.

Names of paths and campaigns are in the ledger, so they are parameters: columns in JSON, which DuckDB reads fastest.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tallystick.warehouse.duckdb.queried import QuerySession
from tallystick.warehouse.types import HitPage, PathName, StatisticRow, UsedNames, VisitStatistic

_encode = msgspec.json.Encoder().encode


def newest_hit(session: QuerySession, site: int) -> int:
    """The id of a site's newest hit; 0 without one."""
    return int(session.queries.newest_hit(session.connection, site=site))


def next_page(session: QuerySession, site: int, after: int, through: int, limit: int) -> HitPage | None:
    """The next hits with ids above ``after`` and up to ``through``; None if there are none."""
    row = session.queries.export_chunk(session.connection, site=site, after=after, through=through, max_rows=limit)
    return HitPage(*row) if row[0] else None


def csv_lines(session: QuerySession, site: int, after: int, through: int, names: Sequence[PathName]) -> bytes:
    """Hits by id as lines of GoatCounter's CSV, version 2; hits of paths without a name are left out."""
    text: str | None = session.queries.export_lines(
        session.connection, site=site, after=after, through=through, names=_path_columns(names)
    )
    return (text or "").encode()


def used_names(session: QuerySession, site: int, after: int, through: int) -> UsedNames:
    """The names that hits with ids above ``after`` and up to ``through`` refer to."""
    return UsedNames(*session.queries.used_names(session.connection, site=site, after=after, through=through))


def write_parquet(  # noqa: PLR0913, PLR0917  # session, hits, names and file
    session: QuerySession,
    site: int,
    after: int,
    through: int,
    paths: Sequence[PathName],
    campaigns: Sequence[tuple[int, str]],
    file: Path,
) -> None:
    """Write all stored fields of hits to a Parquet file in ``Warehouse.exports``, by id."""
    campaign_columns = {"id": [id_ for id_, _ in campaigns], "name": [name for _, name in campaigns]}
    session.queries.export_parquet(
        session.connection,
        site=site,
        after=after,
        through=through,
        paths=_path_columns(paths),
        campaigns=_encode(campaign_columns).decode(),
        file=str(file),
    )


def visit_windows(session: QuerySession, site: int, since: int, seconds: int) -> list[int]:
    """The numbers of the windows with visits; windows have a length in seconds and are numbered from 1970 on."""
    rows = session.queries.visit_windows(session.connection, site=site, since=since, window_s=seconds)
    return [window for (window,) in rows]


def visit_counts(session: QuerySession, statistic: VisitStatistic, site: int, window: range) -> list[StatisticRow]:
    """Visits in a window of Unix seconds, by time, path and the values of the statistic."""
    query = getattr(session.queries, statistic)
    return list(query(session.connection, site=site, since=window.start, until=window.stop))


def _path_columns(names: Sequence[PathName]) -> str:
    columns = {
        "id": [name.id for name in names],
        "path": [name.path for name in names],
        "title": [name.title for name in names],
    }
    return _encode(columns).decode()
