"""What statistics leave out: hits of bots, and hits that a new rule of a site would have left out.

Dropped hits are numbers only (``services/ingest/dropped_hits.py``).
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import InvalidFields
from tallystick.model.dimensions import CAMPAIGN, COUNTRY, HOST, PAGE, Scope
from tallystick.model.leaving_out import RuleKind, campaign_expression, host_expression, path_expression
from tallystick.model.metrics import Metric
from tallystick.model.period import Period
from tallystick.model.question import EVERYTHING, FilterExpression, Grouping, Match, Not, Operator, Question
from tallystick.model.site import SiteSettings
from tallystick.model.site_rules import normal_settings, settings_problems
from tallystick.services.analytics.questions import Questions

PAGES_SHOWN = 10
"""Of a preview."""
_FIGURES = (Metric.EVENTS, Metric.VISITORS)
_CAMPAIGN_OF_HIT = replace(CAMPAIGN, scope=Scope.HIT)
"""Rules look at each hit: later pages of a visit that a campaign began are counted."""


class HitsOf(NamedTuple):
    """A value of a dimension, and its hits."""

    value: str
    hits: int


class HitsBy(Struct, frozen=True):
    """Hits by the values of a dimension, those with most hits first.

    Attributes:
        total: values, also those not among the rows.
    """

    rows: tuple[HitsOf, ...]
    total: int


class LeftOutPreview(Struct, frozen=True):
    """What would be left out of the counted hits.

    Attributes:
        hits, visitors: that would not be counted. A visitor with other hits, too, would.
        all_hits, all_visitors: that were counted.
        pages: with most of the hits.
    """

    hits: int
    visitors: int
    all_hits: int
    all_visitors: int
    pages: tuple[HitsOf, ...]


async def bot_hits_by(  # noqa: PLR0913  # what is asked
    questions: Questions,
    sites: Sequence[int],
    period: Period,
    by: Grouping,
    limit: int,
    *,
    offset: int = 0,
    condition: FilterExpression = EVERYTHING,
) -> HitsBy:
    """Hits of bots by the values of a dimension, or over time.

    Args:
        limit, offset: rows, and rows before them.

    Raises:
        InputRefused, QuestionTooLong, StoreUnavailable: see ``Questions.answer``.
    """
    question = Question(
        sites=tuple(sites),
        period=period,
        metrics=(Metric.EVENTS,),
        dimensions=(by,),
        condition=condition,
        bots=True,
        limit=limit,
        offset=offset,
        total_rows=True,
    )
    answer = await questions.answer(question)
    rows = tuple(HitsOf(str(row.values[0]), int(row.figures[0] or 0)) for row in answer.rows)
    return HitsBy(rows, len(rows) if answer.total_rows is None else answer.total_rows)


async def bot_hits_in_all(
    questions: Questions, sites: Sequence[int], period: Period, condition: FilterExpression = EVERYTHING
) -> int:
    """The number of bots' hits.

    Raises:
        InputRefused, QuestionTooLong, StoreUnavailable: see ``Questions.answer``.
    """
    question = Question(sites=tuple(sites), period=period, metrics=(Metric.EVENTS,), condition=condition, bots=True)
    return int((await questions.answer(question)).rows[0].figures[0] or 0)


def normal_rule(kind: RuleKind, text: str) -> str:
    """A rule as a site keeps it.

    Raises:
        InvalidFields: it is not valid; the field is ``rule``.
    """
    settings = normal_settings(replace(SiteSettings(), **{kind.value: (text,)}))
    if problems := settings_problems(settings)[kind.value]:
        raise InvalidFields({"rule": problems})
    (rule,) = getattr(settings, kind.value)
    return str(rule)


async def preview(questions: Questions, site: int, period: Period, kind: RuleKind, rule: str) -> LeftOutPreview | None:
    """What a rule would have left out of the stored hits of a period.

    Args:
        rule: a normal one.

    Returns:
        None for a network: hits do not keep theirs.

    Raises:
        InputRefused, QuestionTooLong, StoreUnavailable: see ``Questions.answer``.
    """
    condition = _condition(kind, rule)
    return None if condition is None else await preview_of(questions, site, period, condition)


async def preview_of(questions: Questions, site: int, period: Period, condition: FilterExpression) -> LeftOutPreview:
    """The counted hits that pass a filter.

    Raises:
        InputRefused, QuestionTooLong, StoreUnavailable: see ``Questions.answer``.
    """
    whole = Question(sites=(site,), period=period, metrics=_FIGURES)
    all_hits, all_visitors = await _figures(questions, whole)
    # Visitors are left out with all of their hits only, so those who stay are asked for.
    rest = Question(sites=(site,), period=period, metrics=_FIGURES, condition=Not(condition))
    _, visitors = await _figures(questions, rest)
    hits, _ = await _figures(questions, replace(rest, condition=condition))
    pages = Question(
        sites=(site,),
        period=period,
        metrics=(Metric.EVENTS,),
        dimensions=(PAGE,),
        condition=condition,
        limit=PAGES_SHOWN,
    )
    rows = (await questions.answer(pages)).rows
    return LeftOutPreview(
        hits=hits,
        visitors=all_visitors - visitors,
        all_hits=all_hits,
        all_visitors=all_visitors,
        pages=tuple(HitsOf(str(row.values[0]), int(row.figures[0] or 0)) for row in rows),
    )


def _condition(kind: RuleKind, rule: str) -> Match | None:
    match kind:
        case RuleKind.COUNTRY:
            return Match(dimension=COUNTRY, values=(rule,))
        case RuleKind.PATH:
            return Match(dimension=PAGE, operator=Operator.MATCHES, values=(path_expression((rule,)),))
        case RuleKind.HOST:
            return Match(dimension=HOST, operator=Operator.MATCHES, values=(host_expression((rule,)),))
        case RuleKind.CAMPAIGN:
            expression = campaign_expression((rule,))  # a name that is a number is no id
            return Match(dimension=_CAMPAIGN_OF_HIT, operator=Operator.MATCHES, values=(expression,))
        case RuleKind.NETWORK:
            return None


async def _figures(questions: Questions, question: Question) -> tuple[int, int]:
    hits, visitors = (await questions.answer(question)).rows[0].figures
    return int(hits or 0), int(visitors or 0)
