"""Filters of the older statistics: ``visit:source==Google|Bing;event:page!=/blog*`` (contract 5.5)."""

import re

from tallystick.model.dimensions import Dimension
from tallystick.model.question import AllOf, AnyOf, FilterExpression, Match, Operator
from tallystick.services.analytics.questions import MOST_VALUES
from tallystick.services.inquiries.filters import CODE_LETTERS, DecodedFilters, as_json
from tallystick.services.inquiries.goal_names import GoalNames, WantedGoals, anchored
from tallystick.services.inquiries.names import GOAL, vocabulary
from tallystick.web.refusals import ApiRefused

_comparison = re.compile(r"(?P<name>[^=!]+)(?P<operator>==|!=)(?P<value>.*)", re.DOTALL)
_bar = re.compile(r"(?<!\\)\|")


def decode_filters(text: str, goals: GoalNames) -> DecodedFilters:
    """The filters, which all have to hold. A part without an operator is skipped, as Plausible does.

    Raises:
        ApiRefused
    """
    conditions: list[FilterExpression] = []
    wanted: list[WantedGoals] = []
    on_pages = False
    for part in text.split(";"):
        if not (found := _comparison.fullmatch(part.strip())):
            continue
        name, negated = found["name"].strip(), found["operator"] == "!="
        value = found["value"].strip()
        values = [value] if negated else [each.strip() for each in _bar.split(value)]
        values = [each.replace("\\|", "|") for each in values]
        if name == GOAL:
            if negated:
                msg = f"filters: {GOAL} takes == only"
                raise ApiRefused(msg)
            if len(values) + sum(len(each.values) for each in wanted) > MOST_VALUES:
                msg = f"filters: {GOAL} takes at most {MOST_VALUES} values"
                raise ApiRefused(msg)
            wanted.append(WantedGoals(Operator.MATCHES, tuple(values)))
            continue
        dimension = _dimension(name)
        if name == "visit:country" and any(len(each) != CODE_LETTERS for each in values):
            msg = "filters: visit:country takes two-letter country codes, for example DE"
            raise ApiRefused(msg)
        on_pages |= name == "event:page"
        conditions.append(_match(dimension, values, negated=negated))
    return DecodedFilters(
        AllOf(tuple(conditions)),
        AllOf(tuple(map(goals.condition, wanted))) if wanted else None,
        tuple(name for each in wanted for name in goals.unconfigured(each)),
        on_pages,
        goals.rows(wanted),
    )


def _dimension(name: str) -> Dimension:
    known = vocabulary(extended=False).dimension(name)
    if known is None or not isinstance(known.grouping, Dimension):
        msg = f"filters: {as_json(name)} is not a property that can be filtered"
        raise ApiRefused(msg)
    return known.grouping


def _match(dimension: Dimension, values: list[str], *, negated: bool) -> FilterExpression:
    """Values as patterns where they have ``*``. Of several none is negated, because ``!=`` takes one."""
    whole = tuple(each for each in values if "*" not in each)
    patterns = tuple(anchored(each) for each in values if "*" in each)
    matched = Match(dimension=dimension, operator=Operator.MATCHES, values=patterns, negated=negated)
    equal = Match(dimension=dimension, values=whole, negated=negated)
    if not patterns:
        return equal
    return AnyOf((equal, matched)) if whole else matched
