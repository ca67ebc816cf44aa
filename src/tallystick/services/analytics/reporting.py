"""Reporting: what the hits of a site say. Every figure is exact, and counted when it is asked for.

There are no rollups to keep in step: a report is one pass over a few columns of the period's hits, so any filter goes
with any report, and what was stored, deleted or imported just now is in it. Names of paths and campaigns live in the
ledger: names in a question become ids before the pass, and the few rows of the answer get their names after it.

DuckDB skips the rows of other times (hits lie in the order in which they came), so a report costs what the hits of
its period cost, however many there are before. benchmarks/README.md has the figures.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tallystick.ledger import Ledger, Session
from tallystick.model.selection import SIZES, UNKNOWN, Dimension, Question, Selection
from tallystick.model.series import Calendar, Day, Group, peak
from tallystick.services.analytics.names import Path, campaign_ids, campaigns_of, path_ids, paths_of
from tallystick.warehouse import Warehouse, WarehouseSession
from tallystick.warehouse.duckdb import reports
from tallystick.warehouse.duckdb.reports import DimensionCount, Figures, PathHours, Position, Slice, Value

DAYS_IN_ANSWER = 50_000
"""Rows of days in one answer, all paths together: beyond it come fewer paths."""
NO_CAMPAIGN = 0
LONGEST_ID = 18


class Total(Struct, frozen=True):
    """All visits of a period.

    Attributes:
        events: among the visits.
        day_visits: of the whole days that the period touches: what reports by browser, system and so on add up to.
        days: visits by day and hour.
    """

    visits: int
    events: int
    day_visits: int
    days: Sequence[Day]
    figures: Figures


class PathDays(Struct, frozen=True):
    """Visits of one path.

    Attributes:
        path: its id.
        peak: the highest hour, day, week or month.
        days: visits by day and hour.
    """

    path: int
    visits: int
    peak: int
    days: Sequence[Day]
    figures: Figures


class _Wanted(NamedTuple):
    """Which of the most visited paths."""

    limit: int
    after: Position
    without: Sequence[int]
    group: Group


class TopPaths(Struct, frozen=True):
    """The most visited paths.

    Attributes:
        next: where to go on from; None when there are no more.
    """

    rows: Sequence[tuple[Path, PathDays]]
    next: Position | None


class ReportRow(Struct, frozen=True):
    """Visits with one value of a dimension.

    Attributes:
        name: of a path or campaign, else the value again; empty where it is not known.
        scheme: of a referrer.
    """

    value: Value
    name: str
    visits: int
    scheme: str | None
    figures: Figures


class Rows(Struct, frozen=True):
    """Some rows of a list; ``more`` tells whether it goes on."""

    rows: Sequence[ReportRow]
    more: bool = False


class Reporting:
    """The reports. Used from one event loop."""

    def __init__(self, ledger: Ledger, warehouse: Warehouse) -> None:
        self._ledger, self._warehouse = ledger, warehouse

    async def total(self, question: Question) -> Total:
        """All visits, by day and hour."""
        return await self._warehouse.read(_total, await self._selected(question))

    async def top_paths(
        self,
        question: Question,
        limit: int,
        *,
        after: Position | None = None,
        without: Sequence[int | str] = (),
        group: Group = "hour",
    ) -> TopPaths:
        """The most visited paths behind a position, without some; by day and hour.

        Long periods get fewer rows: see ``DAYS_IN_ANSWER``.
        """
        selection = await self._selected(question)
        excluded = await self._ledger.read(_path_ids, question.site, without) if without else []
        limit = min(limit, max(1, DAYS_IN_ANSWER // selection.period.most_days))
        wanted = _Wanted(limit + 1, after or Position(), excluded, group)
        found = await self._warehouse.read(_top_paths, selection, wanted)
        rows, last = found[:limit], found[limit - 1] if len(found) > limit else None
        paths = await self._ledger.read(paths_of, question.site, [row.path for row in rows])
        # A path without a name is being deleted.
        named = [(paths[row.path], row) for row in rows if row.path in paths]
        return TopPaths(named, Position(last.visits, last.path) if last else None)

    async def referrers(self, question: Question, wanted: Slice, own: str = "") -> Rows:
        """Referrers, most first; the address ``own`` and everything behind it are left out."""
        selection = await self._selected(question)
        found, figures = await self._warehouse.read(_referrers, selection, _one_more(wanted), own)
        return _rows(found, figures, wanted)

    async def referrers_of_path(self, question: Question, path: int, wanted: Slice) -> Rows:
        """Referrers of a path, most first, then in the order in which they were first seen."""
        selection = await self._selected(replace(question, paths=(path,)))
        found, figures = await self._warehouse.read(_referrers, selection, _one_more(wanted))
        return _rows(found, figures, wanted)

    async def by_value(self, question: Question, dimension: Dimension, wanted: Slice) -> Rows:
        """Visits by the values of a dimension, most first."""
        selection = await self._selected(question)
        found, figures = await self._warehouse.read(_by_value, selection, dimension, _one_more(wanted))
        names = await self._names(question.site, dimension, found)
        return _rows(found, figures, wanted, names)

    async def _names(
        self, site: int, dimension: Dimension, found: Sequence[DimensionCount]
    ) -> Mapping[Value, str] | None:
        """Names of values that are ids; None for those that speak for themselves."""
        ids = [row.value for row in found if row.value is not None]
        if dimension is Dimension.PATH:
            paths = await self._ledger.read(paths_of, site, ids)
            return {id_: path.path for id_, path in paths.items()}
        if dimension is Dimension.CAMPAIGN:
            campaigns = await self._ledger.read(campaigns_of, site, ids)
            return dict(campaigns.items())
        return None

    async def _selected(self, question: Question) -> Selection:
        """The question with ids in place of names."""
        filters = question.filters
        selection = Selection(
            site=question.site,
            metrics=question.metrics,
            period=question.period,
            ref=_unless_unknown(filters.ref),
            country=_unless_unknown(filters.country),
            browser=_unless_unknown(filters.browser),
            system=_unless_unknown(filters.system),
            language=_unless_unknown(filters.language),
            widths=SIZES[filters.size] if filters.size is not None else None,
            event=filters.event,
        )
        if question.paths is None and filters.path is None and filters.campaign is None:
            return selection
        return await self._ledger.read(_with_ids, selection, question)


def _with_ids(session: Session, selection: Selection, question: Question) -> Selection:
    site, path, campaign = question.site, question.filters.path, question.filters.campaign
    return replace(
        selection,
        paths=None if question.paths is None else tuple(_path_ids(session, site, question.paths)),
        also_paths=None if path is None else tuple(path_ids(session, site, [path])),
        campaigns=None if campaign is None else tuple(_campaign_ids(session, site, campaign)),
    )


def _path_ids(session: Session, site: int, paths: Iterable[int | str]) -> list[int]:
    listed = list(paths)
    names = [path for path in listed if isinstance(path, str)]
    found = path_ids(session, site, names) if names else []
    return [*(path for path in listed if isinstance(path, int)), *found]


def _campaign_ids(session: Session, site: int, campaign: int | str) -> list[int]:
    if isinstance(campaign, int):
        return [campaign]
    if campaign == UNKNOWN:
        return [NO_CAMPAIGN]
    found = campaign_ids(session, site, [campaign])
    return found or [int(campaign)] if _is_id(campaign) else found


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_ID


def _unless_unknown(value: str | None) -> str | None:
    return "" if value == UNKNOWN else value


def _total(session: WarehouseSession, selection: Selection) -> Total:
    found = reports.total(session, selection)
    days = Calendar(selection.period.days).series(found.hours)
    return Total(found.visits, found.events, found.day_visits, days, reports.figures(session, selection))


def _top_paths(session: WarehouseSession, selection: Selection, wanted: _Wanted) -> list[PathDays]:
    found = reports.top_paths(session, selection, wanted.limit, wanted.after, wanted.without)
    figures = reports.figures_by_value(session, selection, Dimension.PATH, [row.path for row in found])
    calendar = Calendar(selection.period.days)
    return [_path_days(row, calendar.series(row.hours), wanted.group, figures) for row in found]


def _path_days(row: PathHours, days: Sequence[Day], group: Group, figures: Mapping[Value, Figures]) -> PathDays:
    return PathDays(row.path, row.visits, peak(days, group), days, figures.get(row.path, {}))


def _referrers(
    session: WarehouseSession, selection: Selection, wanted: Slice, own: str | None = None
) -> tuple[list[DimensionCount], dict[Value, Figures]]:
    if own is None:
        found = reports.referrers_as_seen(session, selection, wanted)
    else:
        found = reports.referrers(session, selection, own, wanted)
    listed = [row.key for row in found]
    return found, reports.figures_by_value(session, selection, Dimension.REFERRER, listed)


def _by_value(
    session: WarehouseSession, selection: Selection, dimension: Dimension, wanted: Slice
) -> tuple[list[DimensionCount], dict[Value, Figures]]:
    found = reports.by_value(session, selection, dimension, wanted)
    listed = [row.key for row in found]
    return found, reports.figures_by_value(session, selection, dimension, listed)


def _one_more(wanted: Slice) -> Slice:
    """To see whether there is more."""
    return replace(wanted, limit=wanted.limit + 1)


def _rows(
    found: Sequence[DimensionCount],
    figures: Mapping[Value, Figures],
    wanted: Slice,
    names: Mapping[Value, str] | None = None,
) -> Rows:
    """The first rows; those of the values in ``names``, where there are names."""
    listed = [row for row in found[: wanted.limit] if names is None or row.value in names]
    rows = [
        ReportRow(
            row.value,
            str(row.value) if names is None else names[row.value],
            row.visits,
            row.scheme,
            figures.get(row.key, {}),
        )
        for row in listed
    ]
    return Rows(rows, more=len(found) > wanted.limit)
