"""Questions about visits and hits: which metrics, of which hits, by which dimensions.

A question filters hits. A visit belongs to the answer when at least one of its hits in the period passes the filter.
Dimensions of ``Scope.VISIT`` have one value for all hits of a visit; a hit without a session is a visit of its own.
"""

from collections.abc import Iterator
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from tallystick.model.dimensions import Dimension
from tallystick.model.metrics import Metric
from tallystick.model.period import Period

MOST_ROWS = 10_000
"""Rows of one page of an answer."""


class TimeUnit(Enum):
    """Time as a dimension, by the clocks of the period's zone.

    Counts belong to the time of each hit, metrics of whole visits to that of the visit's first hit in the period.
    ``MINUTE``, ``QUARTER_HOUR`` and ``HOUR`` have the local time of their beginning as value, ``DAY``, ``WEEK`` (from
    Monday), ``SUNDAY_WEEK`` and ``MONTH`` their first date, ``WEEKDAY`` 1 (Monday) to 7, ``HOUR_OF_DAY`` 0 to 23.
    """

    MINUTE = "minute"
    QUARTER_HOUR = "quarter_hour"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    SUNDAY_WEEK = "sunday_week"
    MONTH = "month"
    WEEKDAY = "weekday"
    HOUR_OF_DAY = "hour_of_day"


CLOCK_UNITS = frozenset({TimeUnit.MINUTE, TimeUnit.QUARTER_HOUR, TimeUnit.HOUR})
DATE_UNITS = frozenset({TimeUnit.DAY, TimeUnit.WEEK, TimeUnit.SUNDAY_WEEK, TimeUnit.MONTH})

RETURNING = frozenset({TimeUnit.WEEKDAY, TimeUnit.HOUR_OF_DAY})
"""Units that come again within a period."""

Grouping: TypeAlias = Dimension | TimeUnit


class Operator(Enum):
    """How a value is compared with the values of a filter."""

    IS = "is"
    """Equal to one of them."""
    CONTAINS = "contains"
    """One of them is a part of it."""
    MATCHES = "matches"
    """One of them, as an RE2 expression, is found in it."""


class Match(Struct, frozen=True, kw_only=True):
    """Compares one dimension.

    Attributes:
        values: one has to fit. ``""`` stands for a hit without a value. As the warehouse takes it, values of ID
            dimensions are ids and the operator is ``IS``; ``NO_ID`` stands for a hit without a value.
        negated: whether none may fit instead. A hit for which an optional dimension does not apply (the page of an
            event) passes neither way.
        caseless: whether upper and lower case are the same.
        sites: of an ID dimension, the sites whose names are meant; empty for all sites of the question.
    """

    dimension: Dimension
    operator: Operator = Operator.IS
    values: tuple[str | int, ...]
    negated: bool = False
    caseless: bool = False
    sites: tuple[int, ...] = ()


NO_ID = 0
"""The id that stands for no value of an optional ID dimension of visits: no campaign, no entry page."""


class AllOf(Struct, frozen=True):
    """Passes when all parts do; empty: always."""

    parts: tuple["FilterExpression", ...]


class AnyOf(Struct, frozen=True):
    """Passes when one part does; empty: never."""

    parts: tuple["FilterExpression", ...]


class Not(Struct, frozen=True):
    """Passes when the part does not."""

    part: "FilterExpression"


class HasDone(Struct, frozen=True):
    """Passes when the hit's visit has a hit in the period that passes ``part``.

    ``part`` has only dimensions of ``Scope.HIT``, and no ``HasDone``. A hit without a session is looked at alone.
    """

    part: "FilterExpression"


FilterExpression: TypeAlias = Match | AllOf | AnyOf | Not | HasDone

EVERYTHING = AllOf(())


class NamedCondition(Struct, frozen=True):
    """Hits that are in the row of this name: a goal."""

    name: str
    condition: FilterExpression


def matches_in(expression: FilterExpression) -> Iterator[Match]:
    """All comparisons of a filter."""
    match expression:
        case Match():
            yield expression
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from matches_in(part)
        case Not(part) | HasDone(part):
            yield from matches_in(part)


class Order(Struct, frozen=True):
    """Sorts rows by a metric or a grouping of the question."""

    by: Metric | Grouping
    descending: bool = True


class Comparison(Struct, frozen=True):
    """Another period to compare with.

    Rows are compared with those of the same values. With a dimension of time, each unit is compared with its partner in
    the other period; see ``model.pairing``.

    Attributes:
        same_dates: whether the other period has the dates of the year before.
        gone: whether rows that only the other period has are part of the answer.
    """

    period: Period
    same_dates: bool = False
    gone: bool = True


class Question(Struct, frozen=True, kw_only=True):
    """What is asked.

    Attributes:
        sites: their hits together.
        metrics: at least one.
        dimensions: rows are grouped by them; without any there is one row.
        condition: which hits.
        goals: the rows of the dimension ``GOAL``. A hit is in the row of every goal whose condition it
            passes. As the warehouse takes it, conditions are in ids, and values of ``GOAL`` are positions in it.
        order: how rows are sorted; ``ordered`` has the defaults.
        compare: another period with which each row is compared.
        bots: hits of bots in place of those of people; only ``Metric.EVENTS`` and ``Metric.PAGEVIEWS``.
        total_rows: whether to count the rows of all pages.
        averaged: whether rows have one more figure behind those of the metrics, which include one of ``BY_VISIT``: the
            visits that these metrics are averages of.
    """

    sites: tuple[int, ...]
    period: Period
    metrics: tuple[Metric, ...]
    dimensions: tuple[Grouping, ...] = ()
    condition: FilterExpression = EVERYTHING
    goals: tuple[NamedCondition, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int = MOST_ROWS
    offset: int = 0
    compare: Comparison | None = None
    bots: bool = False
    total_rows: bool = False
    averaged: bool = False


Figure: TypeAlias = int | float | None
"""Counts are whole; ratios are not rounded, and None without a divisor."""


class AnswerRow(Struct, frozen=True):
    """One group.

    Attributes:
        values: one for each dimension. As the warehouse returns them: ids, texts, and for time units integers (local
            seconds or days since 1970, ``WEEKDAY`` 1 to 7, ``HOUR_OF_DAY``); as the service returns them: texts, and
            for ``WEEKDAY`` and ``HOUR_OF_DAY`` integers.
        figures: one for each metric.
        compared: the same of the other period; None without a comparison, and where that period has no such time.
        compared_values: the values in the other period; None without a comparison. In both, ``""`` in place of a time
            says that the period has none.
    """

    values: tuple[str | int, ...]
    figures: tuple[Figure, ...]
    compared: tuple[Figure, ...] | None = None
    compared_values: tuple[str | int, ...] | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """The rows of one page.

    Attributes:
        total_rows: of all pages; None when not asked for.
        sessionless: whether hits without a session are among those counted, which makes visitors inexact.
    """

    rows: tuple[AnswerRow, ...]
    total_rows: int | None = None
    sessionless: bool = False


def ordered(question: Question) -> tuple[Order, ...]:
    """The complete order of rows, so that pages never overlap.

    By default time ascending, then the first metric descending; always followed by all groupings ascending.
    """
    times = [each for each in question.dimensions if isinstance(each, TimeUnit)]
    order = list(question.order) or [
        *(Order(time, descending=False) for time in times),
        Order(question.metrics[0]),
    ]
    given = [each.by for each in order]
    return (*order, *(Order(each, descending=False) for each in question.dimensions if each not in given))
