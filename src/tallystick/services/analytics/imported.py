"""Adds imported aggregates to the answers of questions that they can answer.

The tables of an import cannot be joined, so the dimensions and filters of a question have to be of one of them, and its
period has to consist of whole days. Imported days count only before the day of the site's first own hit, so that no day
counts twice. GoatCounter's reports never read imports.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from tallystick.model.aggregates import AGGREGATES, EVENTS, VISITORS, Aggregate, AggregateFigures, AggregateQuestion
from tallystick.model.dimensions import EVENT_NAME, PAGEVIEW, Dimension
from tallystick.model.metrics import BY_VISIT, Metric
from tallystick.model.period import DAY_S, Period, day_of, midnight, segments
from tallystick.model.question import (
    CLOCK_UNITS,
    MOST_ROWS,
    RETURNING,
    AllOf,
    Answer,
    AnswerRow,
    AnyOf,
    Figure,
    FilterExpression,
    Grouping,
    HasDone,
    Match,
    Not,
    Operator,
    Question,
    TimeUnit,
    matches_in,
)
from tallystick.model.site import Site
from tallystick.services.analytics.questions import (
    MOST_GROUPS,
    Questions,
    compared,
    first_day,
    ids_in,
    paged,
    time_text,
)
from tallystick.services.zones import zone_of_days
from tallystick.warehouse import WarehouseSession

LATEST_DAY = 2**31 - 1
NO_FIGURES = AggregateFigures(0, 0, 0, 0, 0, 0)


class Skipped(Enum):
    """Why imports are not part of an answer."""

    NO_IMPORTED_DATA = "no_imported_data"
    OUT_OF_RANGE = "out_of_range"
    UNSUPPORTED_INTERVAL = "unsupported_interval"
    UNSUPPORTED_QUERY = "unsupported_query"


WARNINGS: Mapping[Skipped, str] = {
    Skipped.UNSUPPORTED_INTERVAL: (
        "Imported data is not included: it has whole days of the site's time zone, and the query divides or cuts days."
    ),
    Skipped.UNSUPPORTED_QUERY: (
        "Imported data is not included: its tables cannot be joined, and the query needs figures, dimensions or filters"
        " that no single one of them has."
    ),
}
"""What is said beside a reason."""


class ImportedDays(Struct, frozen=True):
    """The imported days of a site that count: from ``first`` until ``last``, in days since 1970.

    Attributes:
        zone: of the site, whose days they are.
    """

    site: int
    zone: Any
    first: int
    last: int


class Answers(Protocol):
    """What answers questions."""

    async def answer(self, question: Question, /) -> Answer:
        """The answer; see ``Questions.answer``."""

    async def every_row(self, question: Question, /) -> Answer:
        """The rows of all pages; see ``Questions.every_row``."""

    async def unknown_events(self, sites: Sequence[int], names: Sequence[tuple[str, bool]], /) -> list[str]:
        """Those of the names that no event of the sites has; see ``Questions.unknown_events``."""


async def imported_days(questions: Questions, sites: Iterable[Site]) -> tuple[ImportedDays, ...]:
    """The imported days that count, of sites that have imports.

    Raises:
        QuestionTooLong, StoreUnavailable
    """
    found = []
    for site in sites:
        imports, first_hit = await questions.read(partial(_imports_of, site=site.id))
        days = [day for each in imports if each.done for day in (each.first, each.last) if day is not None]
        if days:
            zone = await asyncio.to_thread(zone_of_days, site.user_defaults.timezone)
            last = max(days) if first_hit is None else min(max(days), day_of(first_hit, zone) - 1)
            found.append(ImportedDays(site.id, zone, min(days), last))
    return tuple(found)


def _imports_of(session: WarehouseSession, site: int) -> tuple[Sequence[Any], int | None]:
    return session.aggregate_imports(site), session.first_counted(site)


def skipped(question: Question, days: Sequence[ImportedDays]) -> Skipped | None:
    """Why the answer to a question has no imports; None where they are part of it."""
    plans = [_plan(question, days)]
    if question.compare is not None:
        plans.append(_plan(replace(question, period=question.compare.period, compare=None), days))
    reasons = [each for each in plans if isinstance(each, Skipped)]
    kept = [each for each in reasons if each in WARNINGS] or (reasons if len(reasons) == len(plans) else [])
    return kept[0] if kept else None


class QuestionsWithImports:
    """Answers questions like ``Questions``, with imports where they can answer them too.

    Args:
        days: see ``imported_days``.
    """

    def __init__(self, questions: Questions, days: Sequence[ImportedDays]) -> None:
        self._questions, self._days = questions, days

    async def answer(self, question: Question) -> Answer:
        """The answer; see ``Questions.answer``.

        Raises:
            InputRefused, QuestionTooLong, StoreUnavailable: as ``Questions.answer`` does.
        """
        if skipped(question, self._days) is not None:
            return await self._questions.answer(question)
        return await self._joined(question)

    async def every_row(self, question: Question) -> Answer:
        """The rows of all pages, in order; of more than ``MOST_GROUPS`` those that come first.

        Raises:
            InputRefused, QuestionTooLong, StoreUnavailable: as ``Questions.answer`` does.
        """
        if skipped(question, self._days) is not None:
            return await self._questions.every_row(question)
        return await self._joined(replace(question, limit=MOST_GROUPS, offset=0, total_rows=False))

    async def _joined(self, question: Question) -> Answer:
        """A page of both together."""
        here = await self._rows(question)
        if question.compare is None or not question.compare.gone:
            here = await asyncio.to_thread(paged, question, here)
        if question.compare is None:
            return here
        there = await self._rows(replace(question, period=question.compare.period))
        return await asyncio.to_thread(partial(compared, question, here, there, ignore_case=True))

    async def unknown_events(self, sites: Sequence[int], names: Sequence[tuple[str, bool]]) -> list[str]:
        """Those of the names that neither events of hits nor imported ones have.

        Raises:
            StoreUnavailable
        """
        unknown = await self._questions.unknown_events(sites, names)
        if not unknown:
            return unknown
        condition = Match(dimension=EVENT_NAME, values=tuple(unknown), caseless=True)
        of_sites = tuple((each.site, each.last) for each in self._days if each.site in sites)
        if not of_sites:
            return unknown
        asked = AggregateQuestion(
            aggregate=EVENTS,
            sites=of_sites,
            first=min(each.first for each in self._days),
            last=LATEST_DAY,
            groupings=(EVENT_NAME,),
            condition=condition,
            limit=MOST_GROUPS,
        )
        rows = await self._questions.read(lambda session: session.aggregated(asked))
        known = {str(values[0]) for values, _ in rows}
        folded = {name.lower() for name in known}
        caseless = {name for name, is_caseless in names if is_caseless}
        return [name for name in unknown if name not in known and not (name in caseless and name.lower() in folded)]

    async def _rows(self, question: Question) -> Answer:
        """All rows of one period, in no order."""
        base = _base_metrics(question.metrics)
        averaged = bool(set(base) & BY_VISIT)
        of_hits = await self._questions.every_row(
            replace(question, metrics=base, order=(), limit=MOST_ROWS, offset=0, compare=None, averaged=averaged)
        )
        plan = _plan(question, self._days)
        imported: Sequence[tuple[tuple[str | int, ...], AggregateFigures]] = ()
        if isinstance(plan, AggregateQuestion):
            imported = await self._questions.read(lambda session: session.aggregated(plan))
        everyone = None
        if Metric.PERCENTAGE in question.metrics:
            whole = replace(question, metrics=(Metric.VISITORS,), dimensions=(), order=(), compare=None)
            everyone = (await self._rows(whole)).rows[0].figures[0]
        added = await asyncio.to_thread(_added, question, base, of_hits, imported, everyone)
        return Answer(rows=tuple(added), sessionless=of_hits.sessionless)


# Which table.


def _plan(question: Question, days: Sequence[ImportedDays]) -> AggregateQuestion | Skipped:
    """What is asked of which table, or why nothing is."""
    of_sites = [each for each in days if each.site in question.sites]
    if not of_sites:
        return Skipped.NO_IMPORTED_DATA
    period = question.period
    if not any(
        period.first < midnight(each.last + 1, each.zone) and midnight(each.first, each.zone) < period.after
        for each in of_sites
        if each.first <= each.last
    ):
        return Skipped.OUT_OF_RANGE
    first, last = first_day(question), (period.after - 1 + period.offsets[-1].offset) // DAY_S
    units = {each for each in question.dimensions if isinstance(each, TimeUnit)}
    if units & (CLOCK_UNITS | {TimeUnit.HOUR_OF_DAY}) or not all(
        _has_whole_days(period, each.zone, first, last) for each in of_sites
    ):
        return Skipped.UNSUPPORTED_INTERVAL
    aggregate = _table(question)
    if aggregate is None:
        return Skipped.UNSUPPORTED_QUERY
    return AggregateQuestion(
        aggregate=aggregate,
        sites=tuple((each.site, each.last) for each in of_sites),
        first=first,
        last=last,
        groupings=question.dimensions,
        condition=question.condition,
        limit=MOST_GROUPS,
    )


def _has_whole_days(period: Period, zone: Any, first: int, last: int) -> bool:  # noqa: ANN401  # a tzinfo
    """Whether a period has whole days of a zone, and the clocks of the two agree in it."""
    if midnight(first, zone) != period.first or midnight(last + 1, zone) != period.after:
        return False
    here, there = (
        [(max(each.begin, period.first), each.offset) for each in listed]
        for listed in (period.offsets, segments(zone, period.first, period.after))
    )
    return here == there


def _table(question: Question) -> Aggregate | None:
    """The one table that has all that a question needs."""
    if question.bots or _has_done(question.condition):
        return None
    needed = {each.name for each in question.dimensions if isinstance(each, Dimension)}
    needed |= {match.dimension.name for match in matches_in(question.condition)}
    # Pages have the name of their event too, but no other events.
    tables = (EVENTS, *AGGREGATES) if needed else (VISITORS,)
    if EVENT_NAME.name in needed and (EVENT_NAME in question.dimensions or not _pageviews_only(question.condition)):
        tables = (EVENTS,)
    fitting = (each for each in tables if needed <= set(each.dimensions) and set(question.metrics) <= each.metrics)
    return next(fitting, None)


def _pageviews_only(expression: FilterExpression) -> bool:
    """Whether no event passes: then a table of pages has all that does."""
    match expression:
        case Match():
            return (
                expression.dimension.name == EVENT_NAME.name
                and not expression.negated
                and (expression.operator is Operator.IS and expression.values == (PAGEVIEW,))
            )
        case AllOf(parts):
            return any(map(_pageviews_only, parts))
        case AnyOf(parts):
            return all(map(_pageviews_only, parts))
        case _:
            return False


def _has_done(expression: FilterExpression) -> bool:
    match expression:
        case HasDone():
            return True
        case Match():
            return False
        case Not(part):
            return _has_done(part)
        case _:
            return any(_has_done(part) for part in expression.parts)


# Figures.


def _base_metrics(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """Those of which all figures can be made together with imported sums."""
    return tuple(dict.fromkeys(Metric.VISITORS if each is Metric.PERCENTAGE else each for each in metrics))


def _added(
    question: Question,
    base: Sequence[Metric],
    of_hits: Answer,
    imported: Sequence[tuple[tuple[str | int, ...], AggregateFigures]],
    everyone: Figure,
) -> list[AnswerRow]:
    """The rows of both together. Names of pages, events and campaigns are the same in upper and lower case."""
    folded = ids_in(question)
    first = first_day(question)
    rows: dict[tuple[str | int, ...], tuple[tuple[str | int, ...], list[Figure], AggregateFigures]] = {}

    def key(values: Sequence[str | int]) -> tuple[str | int, ...]:
        return tuple(str(each).lower() if at in folded else each for at, each in enumerate(values))

    for row in of_hits.rows:
        rows[key(row.values)] = (row.values, list(row.figures), NO_FIGURES)
    nothing: list[Figure] = [None if each in BY_VISIT else 0 for each in base]
    nothing += [0] if set(base) & BY_VISIT else []
    for raw, sums in imported:
        if question.dimensions and sums == NO_FIGURES:
            continue
        values = tuple(_value(each, value, first) for each, value in zip(question.dimensions, raw, strict=True))
        before = rows.get(key(values), (values, nothing, NO_FIGURES))
        rows[key(values)] = (before[0], before[1], _sum(before[2], sums))
    positions = {metric: position for position, metric in enumerate(base)}
    return [
        AnswerRow(
            values,
            tuple(_figure(each, figures, positions, sums, everyone) for each in question.metrics),
        )
        for values, figures, sums in rows.values()
    ]


def _value(grouping: Grouping, value: str | int, first: int) -> str | int:
    if isinstance(grouping, TimeUnit) and grouping not in RETURNING:
        return time_text(grouping, int(value), first)
    return value


def _sum(one: AggregateFigures, other: AggregateFigures) -> AggregateFigures:
    return AggregateFigures(
        one.visitors + other.visitors,
        one.visits + other.visits,
        one.pageviews + other.pageviews,
        one.events + other.events,
        one.bounces + other.bounces,
        one.seconds + other.seconds,
    )


def _figure(
    metric: Metric,
    figures: Sequence[Figure],
    positions: Mapping[Metric, int],
    sums: AggregateFigures,
    everyone: Figure,
) -> Figure:
    """A figure of both together: counts are added, averages by the visits that they are of."""
    if metric in _COUNTS:
        return (figures[positions[metric]] or 0) + _COUNTS[metric](sums)
    if metric is Metric.PERCENTAGE:
        visitors = (figures[positions[Metric.VISITORS]] or 0) + sums.visitors
        return 100.0 * visitors / everyone if everyone else None
    visits = figures[-1] or 0
    per_visit = 100.0 if metric is Metric.BOUNCE_RATE else 1.0
    # The average of hits is a quotient of whole numbers by the visits.
    of_hits = round((figures[positions[metric]] or 0) * visits / per_visit)
    both = visits + sums.visits
    return per_visit * (of_hits + _DIVIDED[metric](sums)) / both if both else None


_COUNTS: Mapping[Metric, Callable[[AggregateFigures], int]] = {
    Metric.VISITORS: lambda sums: sums.visitors,
    Metric.VISITS: lambda sums: sums.visits,
    Metric.PAGEVIEWS: lambda sums: sums.pageviews,
    Metric.EVENTS: lambda sums: sums.events,
}
_DIVIDED: Mapping[Metric, Callable[[AggregateFigures], int]] = {
    Metric.BOUNCE_RATE: lambda sums: sums.bounces,
    Metric.VISIT_DURATION: lambda sums: sums.seconds,
    Metric.VIEWS_PER_VISIT: lambda sums: sums.pageviews,
}
