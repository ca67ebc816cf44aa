"""Filters as nested lists: the form that they have on the wire, and in which they are stored.

For example ``["and", [["is", "visit:source", ["Google"]], ["not", ["contains", "event:page", ["blog"]]]]]``.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from tallystick.model.dimension_names import DIMENSIONS, WIRE_PROPERTY
from tallystick.model.dimensions import COUNTRY_NAME, EVENT_NAME, QUESTION_DIMENSIONS, Dimension, prop
from tallystick.model.props import MAX_PROP_NAME
from tallystick.model.question import AllOf, AnyOf, FilterExpression, HasDone, Match, Not, Operator
from tallystick.model.shown_values import with_shown_values

DEEPEST, DEEPEST_STORED = 200, 300
"""Filters inside of one another: fewer than the calls that Python nests, which reading a level takes one of. Stored
filters have more: names stand for several values in them."""

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
COMPARING: Mapping[str, tuple[Operator, bool]] = {
    "is": (Operator.IS, False),
    "is_not": (Operator.IS, True),
    "contains": (Operator.CONTAINS, False),
    "contains_not": (Operator.CONTAINS, True),
    "matches": (Operator.MATCHES, False),
    "matches_not": (Operator.MATCHES, True),
}
"""How an operator compares, and whether it is negated."""
_OPERATORS = {compared: name for name, compared in COMPARING.items()}


class InvalidFilter(ValueError):
    """Lists that are no filter; the message says why."""


class NestedTooDeep(InvalidFilter):
    """Filters with more than ``DEEPEST`` levels."""


class ListedMatch(NamedTuple):
    """A comparison as it stands in lists.

    Attributes:
        case_sensitive: None where it is not said.
        depth: lists around it.
        in_done: whether it stands inside of ``has_done`` or ``has_not_done``.
    """

    operator: str
    name: str
    values: list[object]
    case_sensitive: bool | None
    depth: int
    in_done: bool


Compare: TypeAlias = Callable[[ListedMatch], FilterExpression]


def filter_of(lists: object, country_name: Dimension) -> FilterExpression:
    """The filter that a client means by nested lists.

    Args:
        country_name: the country by its name.

    Raises:
        InvalidFilter: they are no filter; the message says why.
    """
    return read_filter(lists, _named({**_SHOWN, DIMENSIONS[BY_COUNTRY_NAME]: country_name}))


def stored_filter_of(lists: object) -> FilterExpression:
    """The filter of which ``lists_of`` made these lists: with ids, and with values as hits have them.

    Raises:
        InvalidFilter: it has made no such lists.
    """
    return read_filter(lists, _named(_DIMENSIONS, lambda key: replace(prop(key), shown=())), stored=True)


def lists_of(expression: FilterExpression) -> list[object]:
    """A filter as nested lists, of which ``stored_filter_of`` makes the same filter."""
    match expression:
        case Match():
            operator = _OPERATORS[expression.operator, expression.negated]
            dimension = expression.dimension
            wire = WIRE_PROPERTY + dimension.key if dimension.key else _WIRE_NAMES[dimension.name]
            lists: list[object] = [operator, wire, list(expression.values)]
            return [*lists, {"case_sensitive": False}] if expression.caseless else lists
        case AllOf(parts):
            return ["and", [lists_of(part) for part in parts]]
        case AnyOf(parts):
            return ["or", [lists_of(part) for part in parts]]
        case Not(part):
            return ["not", lists_of(part)]
        case HasDone(part):
            return ["has_done", lists_of(part)]


def read_filter(
    lists: object, compare: Compare, *, stored: bool = False, depth: int = 0, in_done: bool = False
) -> FilterExpression:
    """The filter that nested lists stand for.

    It is nested no deeper than it has comparisons: ``and`` inside of ``and`` is one, and so is ``or`` inside of ``or``.

    Args:
        compare: makes a comparison; raises ``InvalidFilter`` for a dimension or a value that it does not know.
        stored: whether ``lists_of`` has made the lists: ``not`` may then stand for an event that has no page, and
            ``and`` and ``or`` may be empty.
        depth: lists around these.
        in_done: whether these stand inside of ``has_done`` or ``has_not_done``.

    Raises:
        InvalidFilter: they have no form that there is.
    """
    if stored:
        reading = _Reading(compare, Not, 0, DEEPEST_STORED, as_written=True)
    else:
        reading = _Reading(compare, opposite, 1, DEEPEST, as_written=False)
    return _read(lists, reading, depth, in_done=in_done)


class _Reading(NamedTuple):
    """How lists are read.

    Attributes:
        least: filters behind ``and`` and ``or``.
        deepest: filters inside of one another.
        as_written: whether every level is kept.
    """

    compare: Compare
    negated: Callable[[FilterExpression], FilterExpression]
    least: int
    deepest: int
    as_written: bool


def _read(lists: object, reading: _Reading, depth: int, *, in_done: bool) -> FilterExpression:
    if depth > reading.deepest:
        msg = f"filters can be nested {reading.deepest} deep"
        raise NestedTooDeep(msg)
    match lists:
        case ["and" | "or" as operator, [*parts]] if len(parts) >= reading.least:
            inner = []
            for part in parts:
                inner.append(_read(part, reading, depth + 1, in_done=in_done))  # noqa: PERF401  # one call a level
            return _joined(AllOf if operator == "and" else AnyOf, inner, reading)
        case ["not", part]:
            return reading.negated(_read(part, reading, depth + 1, in_done=in_done))
        case ["has_done", part]:
            return HasDone(_read(part, reading, depth + 1, in_done=True))
        case ["has_not_done", part]:
            return Not(HasDone(_read(part, reading, depth + 1, in_done=True)))
        case [str(operator), str(name), [*values]]:
            return reading.compare(ListedMatch(operator, name, values, None, depth, in_done))
        case [str(operator), str(name), [*values], {"case_sensitive": bool(cased), **others}] if not others:
            return reading.compare(ListedMatch(operator, name, values, cased, depth, in_done))
    msg = 'a filter is a list such as ["is", "event:page", ["/"]]'
    raise InvalidFilter(msg)


def _joined(join: type[AllOf] | type[AnyOf], parts: Sequence[FilterExpression], reading: _Reading) -> FilterExpression:
    """One filter of several, without levels that mean nothing."""
    if reading.as_written:
        return join(tuple(parts))
    if len(parts) == 1:
        return parts[0]
    flat: list[FilterExpression] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, join) else [part])
    return join(tuple(flat))


def opposite(expression: FilterExpression) -> FilterExpression:
    """What passes when a filter does not. An event, which has no page, passes no filter on pages either way."""
    match expression:
        case Match():
            return replace(expression, negated=not expression.negated)
        case AllOf(parts):
            return AnyOf(tuple(map(opposite, parts)))
        case AnyOf(parts):
            return AllOf(tuple(map(opposite, parts)))
        case Not(part):
            return part
        case HasDone():
            return Not(expression)


def match_of(listed: ListedMatch, dimension: Dimension) -> Match:
    """The comparison, with the dimension that its name stands for.

    Raises:
        InvalidFilter: there is no such operator, or a value is neither a text nor a whole number.
    """
    if listed.operator not in COMPARING:
        msg = f"there is no operator {listed.operator[:40]!r}; operators are {', '.join(COMPARING)}"
        raise InvalidFilter(msg)
    values = tuple(value for value in listed.values if isinstance(value, str) or type(value) is int)
    if len(values) < len(listed.values):
        msg = f"the filter on {dimension.name} has a value that is no text"
        raise InvalidFilter(msg)
    compared, negated = COMPARING[listed.operator]
    return Match(
        dimension=dimension, operator=compared, values=values, negated=negated, caseless=listed.case_sensitive is False
    )


def _named(dimensions: Mapping[str, Dimension], property_: Callable[[str], Dimension] = prop) -> Compare:
    def compare(listed: ListedMatch) -> FilterExpression:
        if listed.name.startswith(WIRE_PROPERTY):
            key = listed.name.removeprefix(WIRE_PROPERTY)
            if 0 < len(key.encode("utf-8", "surrogatepass")) <= MAX_PROP_NAME:
                return match_of(listed, property_(key))
        if listed.name not in dimensions:
            names = ", ".join((*dimensions, f"{WIRE_PROPERTY}NAME"))
            msg = f"there is no filter on {listed.name[:40]!r}; there are {names}"
            raise InvalidFilter(msg)
        return match_of(listed, dimensions[listed.name])

    return compare
