"""Filters as nested lists: the form that they have on the wire, and in which they are stored.

For example ``["and", [["is", "visit:source", ["Google"]], ["not", ["contains", "event:page", ["blog"]]]]]``.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tallystick.model.dimension_names import DIMENSIONS
from tallystick.model.dimensions import COUNTRY_NAME, EVENT_NAME, QUESTION_DIMENSIONS, Dimension
from tallystick.model.question import AllOf, AnyOf, FilterExpression, HasDone, Match, Not, Operator
from tallystick.model.shown_values import with_shown_values

DEEPEST = 50
"""Levels of lists: more than there are in any filter that a question takes."""

BY_COUNTRY_NAME = "country name"
"""The one dimension whose values have to be read from a file: callers of ``filter_of`` bring it."""

_NAMES = {"event": EVENT_NAME.name}
_DIMENSIONS: Mapping[str, Dimension] = MappingProxyType(
    {
        wire: next(each for each in QUESTION_DIMENSIONS if each.name == _NAMES.get(name, name.replace(" ", "_")))
        for name, wire in DIMENSIONS.items()
        if name != BY_COUNTRY_NAME
    }
)
_SHOWN = MappingProxyType({wire: with_shown_values(dimension) for wire, dimension in _DIMENSIONS.items()})
_WIRE_NAMES = {dimension.name: wire for wire, dimension in _DIMENSIONS.items()} | {
    COUNTRY_NAME: "visit:country"  # once its names are codes
}
_COMPARING = {
    "is": (Operator.IS, False),
    "is_not": (Operator.IS, True),
    "contains": (Operator.CONTAINS, False),
    "contains_not": (Operator.CONTAINS, True),
    "matches": (Operator.MATCHES, False),
    "matches_not": (Operator.MATCHES, True),
}
_OPERATORS = {compared: name for name, compared in _COMPARING.items()}


def filter_of(lists: object, country_name: Dimension) -> FilterExpression:
    """The filter that a client means by nested lists.

    Args:
        country_name: the country by its name.

    Raises:
        ValueError: they are no filter; the message says why.
    """
    return _filter(lists, {**_SHOWN, DIMENSIONS[BY_COUNTRY_NAME]: country_name}, 0)


def stored_filter_of(lists: object) -> FilterExpression:
    """The filter of which ``lists_of`` made these lists: with ids, and with values as hits have them.

    Raises:
        ValueError: it has made no such lists.
    """
    return _filter(lists, _DIMENSIONS, 0)


def lists_of(expression: FilterExpression) -> list[object]:
    """A filter as nested lists, of which ``stored_filter_of`` makes the same filter."""
    match expression:
        case Match():
            operator = _OPERATORS[expression.operator, expression.negated]
            lists: list[object] = [operator, _WIRE_NAMES[expression.dimension.name], list(expression.values)]
            return [*lists, {"case_sensitive": False}] if expression.caseless else lists
        case AllOf(parts):
            return ["and", [lists_of(part) for part in parts]]
        case AnyOf(parts):
            return ["or", [lists_of(part) for part in parts]]
        case Not(part):
            return ["not", lists_of(part)]
        case HasDone(part):
            return ["has_done", lists_of(part)]


def _filter(lists: object, dimensions: Mapping[str, Dimension], depth: int) -> FilterExpression:
    if depth > DEEPEST:
        msg = "filters are nested too deep"
        raise ValueError(msg)
    match lists:
        case ["and" | "or" as operator, [*parts]]:
            inner = tuple(_filter(part, dimensions, depth + 1) for part in parts)
            return AllOf(inner) if operator == "and" else AnyOf(inner)
        case ["not", part]:
            return Not(_filter(part, dimensions, depth + 1))
        case ["has_done", part]:
            return HasDone(_filter(part, dimensions, depth + 1))
        case ["has_not_done", part]:
            return Not(HasDone(_filter(part, dimensions, depth + 1)))
        case [str(operator), str(name), [*values]]:
            return _match(operator, _named(name, dimensions), values, caseless=False)
        case [str(operator), str(name), [*values], {"case_sensitive": bool(cased), **others}] if not others:
            return _match(operator, _named(name, dimensions), values, caseless=not cased)
    msg = 'a filter is a list such as ["is", "event:page", ["/"]]'
    raise ValueError(msg)


def _named(name: str, dimensions: Mapping[str, Dimension]) -> Dimension:
    if name not in dimensions:
        msg = f"there is no filter on {name[:40]!r}; there are {', '.join(dimensions)}"
        raise ValueError(msg)
    return dimensions[name]


def _match(operator: str, dimension: Dimension, values: Sequence[object], *, caseless: bool) -> Match:
    if operator not in _COMPARING:
        msg = f"there is no operator {operator[:40]!r}; operators are {', '.join(_COMPARING)}"
        raise ValueError(msg)
    texts = tuple(value for value in values if isinstance(value, str) or type(value) is int)
    if len(texts) < len(values):
        msg = f"the filter on {dimension.name} has a value that is no text"
        raise ValueError(msg)
    compared, negated = _COMPARING[operator]
    return Match(dimension=dimension, operator=compared, values=texts, negated=negated, caseless=caseless)
