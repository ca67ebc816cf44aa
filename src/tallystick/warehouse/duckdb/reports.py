"""Statistics, as numbers and ids: blocking functions of ``(session, selection, ...)``."""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from msgspec.structs import replace

from tallystick.model.dimensions import REFERRER, Dimension
from tallystick.model.metrics import Metric
from tallystick.model.question import Question
from tallystick.model.selection import Selection
from tallystick.warehouse.duckdb.queried import QuerySession
from tallystick.warehouse.duckdb.questions.parameters import BoundValues
from tallystick.warehouse.duckdb.questions.relations import Relation, Relations, with_clause
from tallystick.warehouse.duckdb.selecting import counted, picked, run
from tallystick.warehouse.types import DimensionCount, Figures, PathHours, Position, Slice, TotalHours, Value

_HOUR_UNIT = 2**40
"""An hour in a number that holds an hour and its visits."""


def total(session: QuerySession, selection: Selection) -> TotalHours:
    """All visits of the selection."""
    rows = run(session, "hours", picked(selection))
    visits, events = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return TotalHours(visits, [row[:2] for row in rows], events, _day_visits(session, selection, visits))


def _day_visits(session: QuerySession, selection: Selection, visits: int) -> int:
    period, whole = selection.period, selection.period.whole_days
    if (period.first, period.after) == (whole.first, whole.after):
        return visits
    return int(run(session, "visits", picked(replace(selection, period=whole)))[0][0])


def top_paths(
    session: QuerySession, selection: Selection, limit: int, after: Position, without: Iterable[int]
) -> list[PathHours]:
    """The most visited paths after a position; with equal visits, the greater id first."""
    hits = picked(selection)
    rows = run(session, "top_paths", hits, without=list(without), visits=after.visits, path=after.path, max_rows=limit)
    listed = [path for path, _ in rows]
    hours = dict(run(session, "path_hours", hits, listed=listed, hour_unit=_HOUR_UNIT))
    return [PathHours(visits, map(divmod, hours[path], repeat(_HOUR_UNIT)), path) for path, visits in rows]


def by_value(session: QuerySession, selection: Selection, dimension: Dimension, slice_: Slice) -> list[DimensionCount]:
    """Visits by value, most visits first, then by value."""
    ctes = picked(selection), counted(dimension)
    rows = run(session, "values", *ctes, skipped=slice_.offset, max_rows=slice_.limit)
    return [DimensionCount(value, value, int(visits)) for value, visits in rows]


def referrers(session: QuerySession, selection: Selection, own: str, slice_: Slice) -> list[DimensionCount]:
    """Visits by referrer, most visits first, then by referrer.

    Args:
        own: referrers that begin with this address are left out; empty for none.
    """
    return _referrers(session, "referrers", selection, slice_, own=own.lower())


def referrers_as_seen(session: QuerySession, selection: Selection, slice_: Slice) -> list[DimensionCount]:
    """Visits by referrer, most visits first, then in the order of their first hits."""
    return _referrers(session, "referrers_as_seen", selection, slice_)


def _referrers(
    session: QuerySession, query: str, selection: Selection, slice_: Slice, **parameters: str
) -> list[DimensionCount]:
    ctes = picked(selection), counted(REFERRER)
    rows = run(session, query, *ctes, skipped=slice_.offset, max_rows=slice_.limit, **parameters)
    return [DimensionCount(key, ref, int(visits), scheme) for key, ref, scheme, visits in rows]


def figures(session: QuerySession, selection: Selection) -> Figures:
    """The metrics of the selection, over all its hits."""
    metrics = selection.metrics
    computed: Figures = {}
    if Metric.PAGEVIEWS in metrics:
        computed["pageviews"] = run(session, "pageviews", picked(selection))[0][0]
    if metrics - {Metric.PAGEVIEWS}:
        sessions, bounced, seconds = _sessions(session, selection)
        computed["visitors"] = sessions
        computed["bounce_rate"] = round(100 * bounced / sessions, 1) if sessions else None
        computed["visit_duration"] = round(seconds / sessions) if sessions else None
    return _requested(computed, metrics)


def _sessions(session: QuerySession, selection: Selection) -> tuple[int, int, int]:
    """Sessions with a hit of the selection, judged by all their hits: their number, those with one hit, and seconds."""
    values = BoundValues()
    question = Question(sites=(selection.site,), period=selection.period, metrics=())
    relations = Relations(session, question, values, general=False)
    ctes, parameters, passes = [*relations.hits(), *relations.visits()], {}, ""
    if selection.conditions:
        hits = picked(selection)
        ctes, parameters = [*ctes, Relation(hits.name, hits.select)], dict(hits.parameters)
        passes = "AND session IN (SELECT session FROM picked WHERE session <> 0)"
    numbers = "count(*), count(*) FILTER (pageviews + events = 1), coalesce(sum(ended - started), 0)"
    text = with_clause(ctes, f"SELECT {numbers} FROM visits WHERE session <> 0 {passes}")  # noqa: S608  # constants
    [row] = session.run(text, values.values | parameters).fetchall()
    sessions, bounced, seconds = map(int, row)
    return sessions, bounced, seconds


def figures_by_value(
    session: QuerySession, selection: Selection, dimension: Dimension, keys: Sequence[Value]
) -> dict[Value, Figures]:
    """Visitors and pageviews of some values."""
    if not keys or not selection.metrics:
        return {}
    rows: list[tuple[Any, int, int]] = run(session, "value_figures", picked(selection, dimension), listed=keys)
    return {
        key: _requested({"visitors": visitors, "pageviews": pageviews}, selection.metrics)
        for key, visitors, pageviews in rows
    }


def _requested(computed: Figures, metrics: frozenset[Metric]) -> Figures:
    return {metric.value: computed[metric.value] for metric in Metric if metric in metrics and metric.value in computed}
