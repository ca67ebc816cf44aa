"""A decoded query, and its answer: conversion rates and values that the warehouse does not have are added here."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import InputRefused
from tallystick.model.dimensions import GOAL as GOALS
from tallystick.model.dimensions import Dimension
from tallystick.model.metrics import Metric
from tallystick.model.period import Period
from tallystick.model.question import (
    MOST_ROWS,
    AllOf,
    AnswerRow,
    Comparison,
    Figure,
    Grouping,
    NamedCondition,
    Order,
    Question,
    TimeUnit,
)
from tallystick.services.analytics.imported import Answers
from tallystick.services.inquiries.figures import rate, sent
from tallystick.services.inquiries.filters import DecodedFilters
from tallystick.services.inquiries.names import CITY, CITY_NAME, GOAL, WireDimension, WireMetric

UNKNOWN_VALUES: Mapping[str, str | int] = {CITY.name: 0, CITY_NAME.name: ""}
"""What stands for dimensions of which nothing is known."""


class Inquiry(Struct, frozen=True, kw_only=True):
    """What a request asks for.

    Attributes:
        dimensions: ``time`` has its unit here.
        order: empty for the default order.
        compare: the period to compare with.
    """

    sites: tuple[int, ...]
    period: Period
    metrics: tuple[WireMetric, ...]
    dimensions: tuple[WireDimension, ...] = ()
    filters: DecodedFilters = DecodedFilters()
    order: tuple[tuple[WireMetric | WireDimension, bool], ...] = ()
    limit: int = MOST_ROWS
    offset: int = 0
    total_rows: bool = False
    compare: Period | None = None
    bots: bool = False


class AnswerLine(Struct, frozen=True):
    """A row as it is sent: a value for each dimension, a number for each metric, and those of the other period."""

    values: tuple[str | int, ...]
    figures: tuple[int | float, ...]
    compared: tuple[int | float, ...] | None = None


class Found(Struct, frozen=True):
    """The answer to an inquiry. ``sessionless`` and ``total_rows`` are those of ``model.question.Answer``."""

    lines: list[AnswerLine]
    total_rows: int | None
    sessionless: bool


async def find(questions: Answers, inquiry: Inquiry) -> Found:
    """Answer an inquiry.

    Raises:
        InputRefused, QuestionTooLong, StoreUnavailable
    """
    await require_goals(questions, inquiry)
    parts = parts_of(inquiry)
    by_group = any(each.group for each in inquiry.metrics)
    paged_here = by_group or len(parts) > 1
    divisors = await _divisors(questions, inquiry, by_group=by_group)
    lines: list[AnswerLine] = []
    total, sessionless = 0, False
    for question in parts:
        asked = replace(question, limit=MOST_ROWS, offset=0) if paged_here else question
        answer = await questions.answer(asked)
        rows = [row for row in answer.rows if _has_hits(inquiry, question, row)]
        lines += [_line(inquiry, question, row, divisors) for row in rows]
        total += len(rows) if not question.dimensions else answer.total_rows or 0
        sessionless |= answer.sessionless
    lines = _paged(inquiry, lines) if paged_here else lines
    return Found(lines, total if inquiry.total_rows else None, sessionless)


def parts_of(inquiry: Inquiry) -> list[Question]:
    """The questions whose rows together are those of the answer: goals by their names are two of them."""
    question = question_of(inquiry)
    if not question.dimensions and inquiry.dimensions:
        # Nothing is known about the only dimension: a row of it must not appear where there are no hits.
        return [replace(question, metrics=tuple(dict.fromkeys((*question.metrics, Metric.EVENTS))))]
    if not _by_goal(inquiry):
        return [question]
    rows = inquiry.filters.goal_rows
    events = replace(question, condition=AllOf((*inquiry.filters.both.parts, *rows.events.parts)))
    if not rows.named:
        return [events]
    return [question_of(inquiry, rows.named), events]


def _has_hits(inquiry: Inquiry, question: Question, row: AnswerRow) -> bool:
    if question.dimensions or not inquiry.dimensions:
        return True
    return bool(row.figures[question.metrics.index(Metric.EVENTS)])


def question_of(inquiry: Inquiry, goals: tuple[NamedCondition, ...] = ()) -> Question:
    """The question that the warehouse answers.

    Args:
        goals: the rows by goal; without them events are.
    """
    known = {each.name: _known(each, goals=bool(goals)) for each in inquiry.dimensions}
    dimensions = tuple(dict.fromkeys(grouping for grouping in known.values() if grouping))
    metrics = tuple(dict.fromkeys(_computed(inquiry, each) for each in inquiry.metrics))
    order = []
    for by, descending in inquiry.order:
        if isinstance(by, WireMetric):
            order.append(Order(_computed(inquiry, by), descending))
        elif (grouping := known[by.name]) is not None:
            order.append(Order(grouping, descending))
    return Question(
        sites=inquiry.sites,
        period=inquiry.period,
        metrics=metrics,
        dimensions=dimensions,
        condition=inquiry.filters.both,
        goals=goals,
        order=tuple(order),
        limit=inquiry.limit,
        offset=inquiry.offset,
        compare=None if inquiry.compare is None else Comparison(inquiry.compare),
        bots=inquiry.bots,
        total_rows=inquiry.total_rows,
    )


def _computed(inquiry: Inquiry, metric: WireMetric) -> Metric:
    """What the warehouse computes for a metric."""
    return Metric.VISITORS if _is_share(inquiry, metric) else metric.metric


def _is_share(inquiry: Inquiry, metric: WireMetric) -> bool:
    """Whether a metric is a percentage of visitors that has to be computed here, since goals are several questions."""
    return metric.metric is Metric.PERCENTAGE and _by_goal(inquiry)


def _by_goal(inquiry: Inquiry) -> bool:
    return any(each.name == GOAL for each in inquiry.dimensions)


def _known(dimension: WireDimension, *, goals: bool = False) -> Grouping | None:
    """What rows are grouped by; None for a dimension of which nothing is known.

    Args:
        goals: whether the question has goals, which are events otherwise.
    """
    grouping = GOALS if goals and dimension.name == GOAL else dimension.grouping
    return None if isinstance(grouping, Dimension) and not grouping.columns else grouping


async def require_goals(questions: Answers, inquiry: Inquiry) -> None:
    """Refuse filters on goals that the sites do not have.

    Raises:
        InputRefused, StoreUnavailable
    """
    names = inquiry.filters.goal_names
    if names and (missing := await questions.unknown_events(inquiry.sites, names)):
        raise InputRefused(no_goal(missing[0]))


def no_goal(name: str) -> str:
    """The message about a name that no goal has."""
    return (
        f"the site has no goal {name!r}: a goal is one that is configured, the name of an event that was seen,"
        " or Visit and a path"
    )


Pair: TypeAlias = tuple[Figure, Figure | None]
"""A figure here, and in the other period."""


class _Divisors(NamedTuple):
    """Visitors of whom rates are a part.

    Attributes:
        everyone: under all filters but those on goals, by the values of a group.
        passing: under all filters.
    """

    everyone: Mapping[tuple[str | int, ...], Pair]
    passing: Pair


async def _divisors(questions: Answers, inquiry: Inquiry, *, by_group: bool) -> _Divisors:
    everyone: dict[tuple[str | int, ...], Pair] = {}
    passing: Pair = (0, 0)
    if any(each.conversion for each in inquiry.metrics):
        kept = tuple(each for each in inquiry.dimensions if each.name != GOAL)
        without = replace(inquiry, filters=replace(inquiry.filters, goals=None), dimensions=kept)
        others = question_of(without).dimensions
        for dimensions in {(), others} if by_group else {()}:
            everyone |= await _visitors(questions, without, dimensions)
    if any(_is_share(inquiry, each) for each in inquiry.metrics):
        passing = (await _visitors(questions, inquiry, ()))[()]
    return _Divisors(everyone, passing)


async def _visitors(
    questions: Answers, inquiry: Inquiry, dimensions: tuple[Grouping, ...]
) -> dict[tuple[str | int, ...], Pair]:
    asked = replace(
        question_of(inquiry),
        metrics=(Metric.VISITORS,),
        dimensions=dimensions,
        order=(),
        limit=MOST_ROWS,
        offset=0,
        total_rows=False,
    )
    rows = (await questions.answer(asked)).rows
    return {row.values: (row.figures[0], row.compared[0] if row.compared else None) for row in rows}


def _line(inquiry: Inquiry, question: Question, row: AnswerRow, divisors: _Divisors) -> AnswerLine:
    by_grouping = dict(zip(question.dimensions, row.values, strict=True))
    values: list[str | int] = []
    group: dict[Grouping, str | int] = {}
    for each in inquiry.dimensions:
        grouping = _known(each, goals=bool(question.goals))
        if grouping is None:
            values.append(UNKNOWN_VALUES[each.grouping.name] if isinstance(each.grouping, Dimension) else "")
            continue
        values.append(by_grouping[grouping])
        if each.name != GOAL:
            group[grouping] = by_grouping[grouping]
    of_group, of_all = divisors.everyone.get(tuple(group.values()), (0, 0)), divisors.everyone.get((), (0, 0))

    def figures(of_row: Sequence[Figure], period: int) -> tuple[int | float, ...]:
        found = dict(zip(question.metrics, of_row, strict=True))
        figures = []
        for each in inquiry.metrics:
            figure = found[_computed(inquiry, each)]
            if each.conversion:
                figure = rate(figure, (of_group if each.group else of_all)[period])
            elif _is_share(inquiry, each):
                figure = rate(figure, divisors.passing[period])
            figures.append(sent(each, figure))
        return tuple(figures)

    return AnswerLine(
        tuple(values), figures(row.figures, 0), None if row.compared is None else figures(row.compared, 1)
    )


def _paged(inquiry: Inquiry, lines: list[AnswerLine]) -> list[AnswerLine]:
    """The lines of a page, in order: rates of groups, and rows of several questions, are known after all rows are."""
    order = inquiry.order or (
        *((each, False) for each in inquiry.dimensions if isinstance(each.grouping, TimeUnit)),
        (inquiry.metrics[0], True),
    )
    lines.sort(key=lambda line: line.values)
    for by, descending in reversed(order):
        if isinstance(by, WireMetric):
            position = inquiry.metrics.index(by)
            lines.sort(key=lambda line, at=position: line.figures[at], reverse=descending)  # type: ignore[misc]
        else:
            position = inquiry.dimensions.index(by)
            lines.sort(key=lambda line, at=position: line.values[at], reverse=descending)  # type: ignore[misc]
    return lines[inquiry.offset : inquiry.offset + inquiry.limit]
