"""Writes nested lists as people write filters: the opposite of ``filter_text``."""

import re
from collections.abc import Sequence

from tallystick.model.dimension_names import PROPERTY, WIRE_PROPERTY, name_of
from tallystick.model.filter_text import OPERATORS

_WORDS = {name: words for words, name in reversed(OPERATORS.items())}
"""The first of the words that an operator has."""
_bare = re.compile(r"[\w/.\-+:@*]+")
_KEYWORDS = frozenset({"and", "or", "ignoring", "is", "contains", "matches", "does", "has", "not"})


def words_of(filters: Sequence[object]) -> str:
    """A text of which ``parse_filter`` makes lists that mean the same.

    Args:
        filters: all of which have to hold; none for an empty text.

    Raises:
        ValueError: they are no filters.
    """
    if len(filters) == 1:
        return _written(filters[0])
    return " and ".join(_inner(each) for each in filters)


def _written(lists: object) -> str:
    match lists:
        case ["and" | "or" as operator, [*parts]]:
            return f" {operator} ".join(map(_inner, parts))
        case ["not" | "has_done" | "has_not_done" as operator, part]:
            return f"{operator.replace('_', ' ')} ({_written(part)})"
        case [str(operator), str(name), [*values], *options] if operator in _WORDS:
            caseless = " ignoring case" if options == [{"case_sensitive": False}] else ""
            compared = ", ".join(_value(str(value)) for value in values)
            return f"{_name(name)} {_WORDS[operator]} {compared}{caseless}"
    msg = "these lists are no filter"
    raise ValueError(msg)


def _inner(lists: object) -> str:
    """A part of another filter, in parentheses where it has parts itself."""
    match lists:
        case ["and" | "or", _]:
            return f"({_written(lists)})"
    return _written(lists)


def _name(wire: str) -> str:
    if wire.startswith(WIRE_PROPERTY):
        return PROPERTY + _value(wire.removeprefix(WIRE_PROPERTY))
    return name_of(wire)


def _value(text: str) -> str:
    if _bare.fullmatch(text) and text.isascii() and text.lower() not in _KEYWORDS:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
