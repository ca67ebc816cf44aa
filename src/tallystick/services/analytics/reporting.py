"""Reports on the hits of a site. Every figure is exact, and counted when it is requested.

There are no rollups: a report is one pass over a few columns of the period's hits, so every filter works with every
report, and recent hits, deletions and imports are included. Names of paths and campaigns are in the ledger: names in
filters become ids before the pass, and the few rows of the result get their names after it.

The warehouse skips rows of other times (hits are stored in the order of their arrival), so the cost of a report depends
only on the hits of its period. benchmarks/README.md has the figures.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tallystick.ledger import Ledger
from tallystick.model.dimensions import PATH, REFERRER, Dimension, ValueKind
from tallystick.model.selection import Filter, ReportRequest, Selection
from tallystick.model.series import Calendar, Day, Group, peak
from tallystick.services.analytics.dimensions import conditions, ids_of, names_of, needs_ledger, resolved
from tallystick.services.analytics.names import Path, paths_of
from tallystick.warehouse import Warehouse, WarehouseSession
from tallystick.warehouse.types import DimensionCount, Figures, PathHours, Position, Slice, Value

__all__ = [
    "PathDays",
    "Position",
    "ReportRow",
    "Reporting",
    "Rows",
    "Slice",
    "TopPaths",
    "Total",
]

DAYS_IN_ANSWER = 50_000
"""The most days in one response, of all paths together; long periods get fewer paths."""


class Total(Struct, frozen=True):
    """All visits of a period.

    Attributes:
        events: among the visits.
        day_visits: visits of the whole days that the period touches: the sum of reports by browser, system and so on.
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


class _Ranking(NamedTuple):
    """Some of the most visited paths.

    Attributes:
        after: the position to continue after.
        without: ids of paths to leave out.
        group: the unit of ``PathDays.peak``.
    """

    limit: int
    after: Position
    without: Sequence[int]
    group: Group


class TopPaths(Struct, frozen=True):
    """The most visited paths.

    Attributes:
        next: the position of the next page; None on the last one.
    """

    rows: Sequence[tuple[Path, PathDays]]
    next: Position | None


class ReportRow(Struct, frozen=True):
    """Visits with one value of a dimension.

    Attributes:
        name: of a path or campaign, otherwise the value as text; empty if unknown.
        scheme: of a referrer.
    """

    value: Value
    name: str
    visits: int
    scheme: str | None
    figures: Figures


class Rows(Struct, frozen=True):
    """A page of rows; ``more``: whether further rows follow."""

    rows: Sequence[ReportRow]
    more: bool = False


class Reporting:
    """The reports. Used from one event loop."""

    def __init__(self, ledger: Ledger, warehouse: Warehouse) -> None:
        self._ledger, self._warehouse = ledger, warehouse

    async def total(self, question: ReportRequest) -> Total:
        """All visits, by day and hour."""
        return await self._warehouse.read(_total, await self._selection(question))

    async def top_paths(
        self,
        question: ReportRequest,
        limit: int,
        *,
        after: Position | None = None,
        without: Sequence[int | str] = (),
        group: Group = "hour",
    ) -> TopPaths:
        """The most visited paths after a position, with visits by day and hour.

        Long periods get fewer rows: see ``DAYS_IN_ANSWER``.
        """
        selection = await self._selection(question)
        excluded = await self._ledger.read(ids_of, question.site, PATH, without) if without else []
        limit = min(limit, max(1, DAYS_IN_ANSWER // selection.period.most_days))
        ranking = _Ranking(limit + 1, after or Position(), excluded, group)
        ranked = await self._warehouse.read(_top_paths, selection, ranking)
        rows, last = ranked[:limit], ranked[limit - 1] if len(ranked) > limit else None
        paths = await self._ledger.read(paths_of, question.site, [row.path for row in rows])
        # A path without a name is being deleted.
        named = [(paths[row.path], row) for row in rows if row.path in paths]
        return TopPaths(named, Position(last.visits, last.path) if last else None)

    async def referrers(self, question: ReportRequest, slice_: Slice, own: str = "") -> Rows:
        """Referrers, most visits first, without those whose address begins with ``own``."""
        selection = await self._selection(question)
        counts, figures = await self._warehouse.read(_referrers, selection, _one_more(slice_), own)
        return _rows(counts, figures, slice_)

    async def referrers_of_path(self, question: ReportRequest, path: int, slice_: Slice) -> Rows:
        """Referrers of a path, most visits first, then in the order of their first hits."""
        selection = await self._selection(replace(question, filters=(*question.filters, Filter(PATH, (path,)))))
        counts, figures = await self._warehouse.read(_referrers, selection, _one_more(slice_))
        return _rows(counts, figures, slice_)

    async def by_value(self, question: ReportRequest, dimension: Dimension, slice_: Slice) -> Rows:
        """Visits by the values of a dimension, most visits first."""
        selection = await self._selection(question)
        counts, figures = await self._warehouse.read(_by_value, selection, dimension, _one_more(slice_))
        if dimension.kind is not ValueKind.ID:
            return _rows(counts, figures, slice_)
        ids = [row.value for row in counts if isinstance(row.value, int)]
        return _rows(counts, figures, slice_, await self._ledger.read(names_of, question.site, dimension, ids))

    async def _selection(self, question: ReportRequest) -> Selection:
        """The question as a selection, with ids for names."""
        site, filters = question.site, question.filters
        if needs_ledger(filters):
            filter_conditions = await self._ledger.read(resolved, site, filters)
        else:
            filter_conditions = conditions(filters)
        return Selection(site=site, period=question.period, conditions=filter_conditions, metrics=question.metrics)


def _total(session: WarehouseSession, selection: Selection) -> Total:
    total = session.total(selection)
    days = Calendar(selection.period.days).series(total.hours)
    return Total(total.visits, total.events, total.day_visits, days, session.figures(selection))


def _top_paths(session: WarehouseSession, selection: Selection, ranking: _Ranking) -> list[PathDays]:
    rows = session.top_paths(selection, ranking.limit, ranking.after, ranking.without)
    figures = session.figures_by_value(selection, PATH, [row.path for row in rows])
    calendar = Calendar(selection.period.days)
    return [_path_days(row, calendar.series(row.hours), ranking.group, figures) for row in rows]


def _path_days(row: PathHours, days: Sequence[Day], group: Group, figures: Mapping[Value, Figures]) -> PathDays:
    return PathDays(row.path, row.visits, peak(days, group), days, figures.get(row.path, {}))


def _referrers(
    session: WarehouseSession, selection: Selection, slice_: Slice, own: str | None = None
) -> tuple[list[DimensionCount], dict[Value, Figures]]:
    counts = session.referrers_as_seen(selection, slice_) if own is None else session.referrers(selection, own, slice_)
    return counts, session.figures_by_value(selection, REFERRER, [row.key for row in counts])


def _by_value(
    session: WarehouseSession, selection: Selection, dimension: Dimension, slice_: Slice
) -> tuple[list[DimensionCount], dict[Value, Figures]]:
    counts = session.by_value(selection, dimension, slice_)
    return counts, session.figures_by_value(selection, dimension, [row.key for row in counts])


def _one_more(slice_: Slice) -> Slice:
    """The slice with one more row, which shows whether further rows follow."""
    return replace(slice_, limit=slice_.limit + 1)


def _rows(
    counts: Sequence[DimensionCount],
    figures: Mapping[Value, Figures],
    slice_: Slice,
    names: Mapping[Value, str] | None = None,
) -> Rows:
    """The rows of the slice; with ``names``, only those with a name."""
    listed = [row for row in counts[: slice_.limit] if names is None or row.value in names]
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
    return Rows(rows, more=len(counts) > slice_.limit)
