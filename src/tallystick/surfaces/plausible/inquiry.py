"""A decoded query, and its answer: conversion rates and values that the warehouse does not have are added here."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

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
    Order,
    Question,
    TimeUnit,
)
from tallystick.services.analytics.questions import Questions
from tallystick.surfaces.plausible.figures import rate, sent
from tallystick.surfaces.plausible.filters import EVENTS_ONLY, DecodedFilters
from tallystick.surfaces.plausible.names import CITY, CITY_NAME, GOAL, WireDimension, WireMetric
from tallystick.web.refusals import ApiRefused

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


async def find(questions: Questions, inquiry: Inquiry) -> Found:
    """Answer an inquiry.

    Raises:
        ApiRefused, InputRefused, QuestionTooLong, StoreUnavailable
    """
    await require_goals(questions, inquiry)
    question = question_of(inquiry)
    if not question.dimensions and inquiry.dimensions:
        # Nothing is known about the only dimension: a row of it must not appear where there are no hits.
        question = replace(question, metrics=tuple(dict.fromkeys((*question.metrics, Metric.EVENTS))))
    rates = [each for each in inquiry.metrics if each.conversion]
    by_group = any(each.group for each in rates)
    if by_group:
        question = replace(question, limit=MOST_ROWS, offset=0)
    answer = await questions.answer(question)
    rows: Sequence[AnswerRow] = answer.rows
    if not question.dimensions and inquiry.dimensions:
        events = question.metrics.index(Metric.EVENTS)
        rows = [row for row in rows if row.figures[events]]
    everyone = await _everyone(questions, inquiry, by_group=by_group) if rates else {}
    lines = [_line(inquiry, question, row, everyone) for row in rows]
    if by_group:
        lines = _paged(inquiry, lines)
    total = len(rows) if answer.total_rows is not None and not question.dimensions else answer.total_rows
    return Found(lines, total, answer.sessionless)


def question_of(inquiry: Inquiry) -> Question:
    """The question that the warehouse answers."""
    dimensions = tuple(dict.fromkeys(grouping for each in inquiry.dimensions if (grouping := _known(each))))
    goal_rows = any(each.name == GOAL for each in inquiry.dimensions)
    metrics = tuple(dict.fromkeys(each.metric for each in inquiry.metrics))
    order = []
    for by, descending in inquiry.order:
        if isinstance(by, WireMetric):
            order.append(Order(by.metric, descending))
        elif (grouping := _known(by)) is not None:
            order.append(Order(grouping, descending))
    return Question(
        sites=inquiry.sites,
        period=inquiry.period,
        metrics=metrics,
        dimensions=dimensions,
        condition=AllOf((*inquiry.filters.both.parts, EVENTS_ONLY)) if goal_rows else inquiry.filters.both,
        order=tuple(order),
        limit=inquiry.limit,
        offset=inquiry.offset,
        compare=None if inquiry.compare is None else Comparison(inquiry.compare),
        bots=inquiry.bots,
        total_rows=inquiry.total_rows,
    )


def _known(dimension: WireDimension) -> Grouping | None:
    """What rows are grouped by; None for a dimension of which nothing is known."""
    grouping = dimension.grouping
    return None if isinstance(grouping, Dimension) and not grouping.columns else grouping


async def require_goals(questions: Questions, inquiry: Inquiry) -> None:
    """Refuse filters on goals that the sites do not have.

    Raises:
        ApiRefused, StoreUnavailable
    """
    names = inquiry.filters.goal_names
    if names and (missing := await questions.unknown_events(inquiry.sites, names)):
        msg = f"the site has no goal {missing[0]!r}: a goal is the name of an event that was seen, or Visit and a path"
        raise ApiRefused(msg)


Divisors = Mapping[tuple[str | int, ...], tuple[Figure, Figure | None]]
"""Visitors under all filters but those on goals, here and in the other period, by the values of a group."""


async def _everyone(questions: Questions, inquiry: Inquiry, *, by_group: bool) -> Divisors:
    kept = [each for each in inquiry.dimensions if each.name != GOAL]
    without = replace(inquiry, filters=replace(inquiry.filters, goals=None), dimensions=tuple(kept))
    others = question_of(without).dimensions
    found: dict[tuple[str | int, ...], tuple[Figure, Figure | None]] = {}
    for dimensions in {(), others} if by_group else {()}:
        asked = replace(
            question_of(without), metrics=(Metric.VISITORS,), dimensions=dimensions, order=(), limit=MOST_ROWS, offset=0
        )
        for row in (await questions.answer(asked)).rows:
            found[row.values] = row.figures[0], row.compared[0] if row.compared else None
    return found


def _line(inquiry: Inquiry, question: Question, row: AnswerRow, everyone: Divisors) -> AnswerLine:
    by_grouping = dict(zip(question.dimensions, row.values, strict=True))
    values: list[str | int] = []
    group: dict[Grouping, str | int] = {}
    for each in inquiry.dimensions:
        grouping = _known(each)
        if grouping is None:
            values.append(UNKNOWN_VALUES[each.grouping.name] if isinstance(each.grouping, Dimension) else "")
            continue
        values.append(by_grouping[grouping])
        if each.name != GOAL:
            group[grouping] = by_grouping[grouping]
    divisors = {True: everyone.get(tuple(group.values()), (0, 0)), False: everyone.get((), (0, 0))}

    def figures(of_row: Sequence[Figure], period: int) -> tuple[int | float, ...]:
        found = dict(zip(question.metrics, of_row, strict=True))
        return tuple(
            sent(
                each, rate(found[each.metric], divisors[each.group][period]) if each.conversion else found[each.metric]
            )
            for each in inquiry.metrics
        )

    return AnswerLine(
        tuple(values), figures(row.figures, 0), None if row.compared is None else figures(row.compared, 1)
    )


def _paged(inquiry: Inquiry, lines: list[AnswerLine]) -> list[AnswerLine]:
    """The lines of a page, in order: rates of groups are known after all rows are."""
    order = inquiry.order or (
        *((each, False) for each in inquiry.dimensions if isinstance(each.grouping, TimeUnit)),
        (inquiry.metrics[0], True),
    )
    lines.sort(key=lambda line: [str(value) for value in line.values])
    for by, descending in reversed(order):
        if isinstance(by, WireMetric):
            position = inquiry.metrics.index(by)
            lines.sort(key=lambda line, at=position: line.figures[at], reverse=descending)  # type: ignore[misc]
        else:
            position = inquiry.dimensions.index(by)
            lines.sort(key=lambda line, at=position: str(line.values[at]), reverse=descending)  # type: ignore[misc]
    return lines[inquiry.offset : inquiry.offset + inquiry.limit]
