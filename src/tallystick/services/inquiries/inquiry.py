"""A decoded query, and its answer: conversion rates and values that the warehouse does not have are added here."""

import asyncio
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
    CLOCK_UNITS,
    DATE_UNITS,
    MOST_ROWS,
    AllOf,
    Answer,
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
from tallystick.services.analytics.questions import MOST_GROUPS, NO_TIME
from tallystick.services.inquiries.figures import rate, sent
from tallystick.services.inquiries.filters import DecodedFilters
from tallystick.services.inquiries.names import CITY, CITY_NAME, GOAL, WireDimension, WireMetric

TOO_MANY_RATES = f"rates of groups, and goals, take fewer than {MOST_GROUPS:,} rows; filter, or group by less"
UNKNOWN_VALUES: Mapping[str, str | int] = {CITY.name: 0, CITY_NAME.name: ""}
"""What stands for dimensions of which nothing is known."""


class Inquiry(Struct, frozen=True, kw_only=True):
    """What a request asks for.

    Attributes:
        dimensions: ``time`` has its unit here.
        order: empty for the default order.
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
    compare: Comparison | None = None
    bots: bool = False


class AnswerLine(Struct, frozen=True):
    """A row as it is sent: a value for each dimension, a number for each metric, and those of the other period.

    See ``model.question.AnswerRow`` for when parts of the other period are missing.
    """

    values: tuple[str | int, ...]
    figures: tuple[int | float, ...]
    compared: tuple[int | float, ...] | None = None
    compared_values: tuple[str | int, ...] | None = None


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
    answers = [
        (question, await (questions.every_row(question) if paged_here else questions.answer(question)))
        for question in parts
    ]
    if paged_here and any(len(answer.rows) >= MOST_GROUPS for _, answer in answers):
        raise InputRefused(TOO_MANY_RATES)
    # They may be many: not on the event loop.
    lines, total = await asyncio.to_thread(_lines, inquiry, answers, divisors, paged_here=paged_here)
    sessionless = any(answer.sessionless for _, answer in answers)
    return Found(lines, total if inquiry.total_rows else None, sessionless)


def _lines(
    inquiry: Inquiry, answers: Sequence[tuple[Question, Answer]], divisors: "_Both", *, paged_here: bool
) -> tuple[list[AnswerLine], int]:
    """The lines of a page, and how many there are of all pages."""
    lines: list[AnswerLine] = []
    total = 0
    for question, answer in answers:
        rows = [row for row in answer.rows if _has_hits(inquiry, question, row)]
        lines += [_line(inquiry, question, row, divisors) for row in rows]
        total += len(rows) if paged_here or not question.dimensions else answer.total_rows or 0
    return (_paged(inquiry, lines) if paged_here else lines), total


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
    events = question.metrics.index(Metric.EVENTS)
    gone = inquiry.compare is not None and inquiry.compare.gone
    return bool(row.figures[events] or (gone and row.compared and row.compared[events]))


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
        compare=inquiry.compare,
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


Visitors: TypeAlias = Mapping[tuple[str | int, ...], Figure]
"""How many there are, by the values of a group."""


class _Divisors(NamedTuple):
    """Visitors of a period of whom rates are a part.

    Attributes:
        everyone: under all filters but those on goals, by the values of a group; ``()`` for all of them.
        passing: under all filters.
    """

    everyone: Visitors
    passing: Figure


_Both: TypeAlias = tuple[_Divisors, _Divisors]
"""Those of the period, and of the one that it is compared with."""


async def _divisors(questions: Answers, inquiry: Inquiry, *, by_group: bool) -> _Both:
    everyone: tuple[dict[tuple[str | int, ...], Figure], ...] = {}, {}
    passing: Sequence[Figure] = 0, 0
    if any(each.conversion for each in inquiry.metrics):
        kept = tuple(each for each in inquiry.dimensions if each.name != GOAL)
        without = replace(inquiry, filters=replace(inquiry.filters, goals=None), dimensions=kept)
        others = question_of(without).dimensions
        for dimensions in {(), others} if by_group else {()}:
            for known, found in zip(everyone, await _visitors(questions, without, dimensions), strict=True):
                known.update(found)
    if any(_is_share(inquiry, each) for each in inquiry.metrics):
        passing = [found.get((), 0) for found in await _visitors(questions, inquiry, ())]
    here, there = map(_Divisors, everyone, passing)
    return here, there


async def _visitors(
    questions: Answers, inquiry: Inquiry, dimensions: tuple[Grouping, ...]
) -> tuple[Visitors, Visitors]:
    """The visitors of the period, and of the one that it is compared with."""
    asked = replace(
        question_of(inquiry),
        metrics=(Metric.VISITORS,),
        dimensions=dimensions,
        order=(),
    )
    rows = (await questions.every_row(asked)).rows
    there = {row.compared_values: row.compared[0] for row in rows if row.compared and row.compared_values is not None}
    return {row.values: row.figures[0] for row in rows}, there


def _line(inquiry: Inquiry, question: Question, row: AnswerRow, divisors: _Both) -> AnswerLine:
    here, there = divisors
    sent_here, group = _values(inquiry, question, row.values)
    figures = _figures(inquiry, question, row.figures, here, group)
    if row.compared_values is None:
        return AnswerLine(sent_here, figures)
    sent_there, group = _values(inquiry, question, row.compared_values)
    other = None if row.compared is None else _figures(inquiry, question, row.compared, there, group)
    return AnswerLine(sent_here, figures, other, sent_there)


def _values(
    inquiry: Inquiry, question: Question, of_row: Sequence[str | int]
) -> tuple[tuple[str | int, ...], tuple[str | int, ...]]:
    """The values of a row as they are sent, and those of its group: all but the goal."""
    by_grouping = dict(zip(question.dimensions, of_row, strict=True))
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
    return tuple(values), tuple(group.values())


def _figures(
    inquiry: Inquiry, question: Question, of_row: Sequence[Figure], divisors: _Divisors, group: tuple[str | int, ...]
) -> tuple[int | float, ...]:
    found = dict(zip(question.metrics, of_row, strict=True))
    figures = []
    for each in inquiry.metrics:
        figure = found[_computed(inquiry, each)]
        if each.conversion:
            figure = rate(figure, divisors.everyone.get(group if each.group else (), 0))
        elif _is_share(inquiry, each):
            figure = rate(figure, divisors.passing)
        figures.append(sent(each, figure))
    return tuple(figures)


def _paged(inquiry: Inquiry, lines: list[AnswerLine]) -> list[AnswerLine]:
    """The lines of a page, in order: rates of groups, and rows of several questions, are known after all rows are."""
    own = _in_order(inquiry, [line for line in lines if not _is_gone(inquiry, line)])
    # As the lines of the other period are in order.
    gone = _in_order(inquiry, [_swapped(line) for line in lines if _is_gone(inquiry, line)])
    return [*own, *map(_swapped, gone)][inquiry.offset : inquiry.offset + inquiry.limit]


def _in_order(inquiry: Inquiry, lines: list[AnswerLine]) -> list[AnswerLine]:
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
    return lines


def is_moving(dimension: WireDimension) -> bool:
    """Whether a dimension of time has other values in another period."""
    return dimension.grouping in CLOCK_UNITS | DATE_UNITS


def _is_gone(inquiry: Inquiry, line: AnswerLine) -> bool:
    """Whether only the period compared with has the time of a line."""
    return inquiry.compare is not None and any(
        is_moving(each) and value == NO_TIME for each, value in zip(inquiry.dimensions, line.values, strict=True)
    )


def _swapped(line: AnswerLine) -> AnswerLine:
    assert line.compared is not None
    assert line.compared_values is not None
    return AnswerLine(line.compared_values, line.compared, line.figures, line.values)
