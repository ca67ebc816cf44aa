"""Filters of the older statistics: ``visit:source==Google|Bing;event:page!=/blog*`` (contract 5.5)."""

import re

from tallystick.model.dimensions import Dimension
from tallystick.model.question import AllOf, AnyOf, FilterExpression, Match, Operator
from tallystick.surfaces.plausible.filters import (
    CODE_LETTERS,
    EVENTS_ONLY,
    VISIT,
    DecodedFilters,
    anchored,
    as_json,
    visited,
)
from tallystick.surfaces.plausible.names import GOAL, PROPERTY, vocabulary
from tallystick.web.refusals import ApiRefused

_comparison = re.compile(r"(?P<name>[^=!]+)(?P<operator>==|!=)(?P<value>.*)", re.DOTALL)
_bar = re.compile(r"(?<!\\)\|")


def decode_filters(text: str) -> DecodedFilters:
    """The filters, which all have to hold. A part without an operator is skipped, as Plausible does.

    Raises:
        ApiRefused
    """
    conditions: list[FilterExpression] = []
    goals: list[FilterExpression] = []
    goal_names: list[tuple[str, bool]] = []
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
            goal_names += [(each, False) for each in values if not each.startswith(VISIT) and "*" not in each]
            goals.append(AnyOf(tuple(_goal(each) for each in values)))
            continue
        dimension = _dimension(name)
        if name == "visit:country" and any(len(each) != CODE_LETTERS for each in values):
            msg = "filters: visit:country takes two-letter country codes, for example DE"
            raise ApiRefused(msg)
        on_pages |= name == "event:page"
        conditions.append(_match(dimension, values, negated=negated))
    return DecodedFilters(AllOf(tuple(conditions)), AllOf(tuple(goals)) if goals else None, tuple(goal_names), on_pages)


def _dimension(name: str) -> Dimension:
    if name.startswith(PROPERTY):
        msg = "properties of events are not stored"
        raise ApiRefused(msg, 402)
    known = vocabulary(extended=False).dimensions.get(name)
    if known is None or not isinstance(known.grouping, Dimension):
        msg = f"filters: {as_json(name)} is not a property that can be filtered"
        raise ApiRefused(msg)
    return known.grouping


def _goal(name: str) -> FilterExpression:
    if name.startswith(VISIT):
        return visited(name.removeprefix(VISIT))
    return AllOf((_match(EVENTS_ONLY.dimension, [name], negated=False), EVENTS_ONLY))


def _match(dimension: Dimension, values: list[str], *, negated: bool) -> FilterExpression:
    """Values as patterns where they have ``*``. Of several none is negated, because ``!=`` takes one."""
    whole = tuple(each for each in values if "*" not in each)
    patterns = tuple(anchored(each) for each in values if "*" in each)
    matched = Match(dimension=dimension, operator=Operator.MATCHES, values=patterns, negated=negated)
    equal = Match(dimension=dimension, values=whole, negated=negated)
    if not patterns:
        return equal
    return AnyOf((equal, matched)) if whole else matched
