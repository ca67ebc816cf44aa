"""The forms of a page of statistics, which lead to the short address of what was chosen.

They are sent by GET, so they work without a script: a form has what is viewed in hidden fields, and its own fields with
names that are no filters. The answer redirects.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import InputRefused
from tallystick.model.dimension_names import GOAL, PROPERTY, SEGMENT
from tallystick.surfaces.dashboard.analytics.periods import range_name
from tallystick.surfaces.dashboard.analytics.view import (
    MOST_FILTERS,
    ONLY_IS_OF_SEGMENTS,
    OPPOSITES,
    SEGMENT_OPERATORS,
    Chip,
    View,
    chip_of,
    values_of,
)
from tallystick.surfaces.dashboard.names.values import country_code
from tallystick.surfaces.dashboard.support.forms import number_in
from tallystick.surfaces.dashboard.support.language import N_, Language

GOAL_OPERATORS = ("is", "is_not", "contains", "contains_not")

NO_VALUE = N_("Write what to compare with; several values are separated by commas.")
NO_PROPERTY = N_("Write the name of the property.")
NO_MATCHES_OF_GOALS = N_("A goal can be compared by “is”, “is not”, “contains” and “does not contain”.")
NO_DATE = N_("Write two dates such as 2026-03-01.")


class TypedFilter(Struct, frozen=True):
    """The fields of the form for a filter.

    Attributes:
        add: the dimension; ``prop:`` for a property, whose name is in ``prop``.
        at: the place of the filter that is changed; empty for a new one.
    """

    add: str = "page"
    prop: str = ""
    op: str = "is"
    value: str = ""
    at: str = ""


def typed_filter(parameters: Mapping[str, str]) -> TypedFilter | None:
    """What was typed into the form for a filter; None where it was not sent."""
    if "add" not in parameters:
        return None
    usual = TypedFilter()
    return TypedFilter(**{name: parameters.get(name, getattr(usual, name)).strip() for name in usual.__struct_fields__})


def operators_of(name: str) -> Iterable[str]:
    """The operators that a dimension takes, by the names of the wire."""
    return {GOAL: GOAL_OPERATORS, SEGMENT: SEGMENT_OPERATORS}.get(name, OPPOSITES)


def chosen(parameters: Mapping[str, str], view: View, language: Language) -> View | None:
    """The view with what the form of a request chose; None where no form was sent.

    Raises:
        InputRefused: a field is not valid; the message is English, and translated where it is shown.
    """
    if (typed := typed_filter(parameters)) is not None:
        return _with_filter(typed, view, language)
    if "first" in parameters:
        return replace(view, period=_range(parameters, "first", "last"), by="")
    if "compare_first" in parameters:
        return replace(view, compare="..".join(_dates(parameters, "compare_first", "compare_last")))
    return None


def _with_filter(typed: TypedFilter, view: View, language: Language) -> View:
    name = typed.add
    if name == PROPERTY:
        if not typed.prop:
            raise InputRefused(NO_PROPERTY)
        name += typed.prop
    place = number_in(typed.at, 2)
    at = len(view.chips) if place is None else place
    # A click on a row without a value makes a filter on the empty value, whose form may be sent as it is.
    if not typed.value and not any("" in each.values for each in view.chips[at : at + 1]):
        raise InputRefused(NO_VALUE)
    chip = chip_of(name, typed.op, [value.strip() for value in values_of(typed.value)])
    if chip.name == "country":
        chip = replace(chip, values=tuple(country_code(language, value) for value in chip.values))
    _check_operator(chip)
    changed = view.with_chip(at, chip)
    if len(changed.chips) > MOST_FILTERS:
        msg = f"a page takes at most {MOST_FILTERS} filters"
        raise InputRefused(msg)
    return changed


def _check_operator(chip: Chip) -> None:
    if chip.operator not in operators_of(chip.name):
        raise InputRefused(ONLY_IS_OF_SEGMENTS if chip.name == SEGMENT else NO_MATCHES_OF_GOALS)


def _range(parameters: Mapping[str, str], first: str, last: str) -> str:
    begin, end = _dates(parameters, first, last)
    return range_name(date.fromisoformat(begin), date.fromisoformat(end))


def _dates(parameters: Mapping[str, str], first: str, last: str) -> list[str]:
    """Two dates, the earlier one first. One that is missing is the same as the other."""
    typed = [text for name in (first, last) if (text := parameters.get(name, "").strip())]
    try:
        found = sorted(date.fromisoformat(text).isoformat() for text in typed)
    except ValueError as error:
        raise InputRefused(NO_DATE) from error
    if not found:
        raise InputRefused(NO_DATE)
    return [found[0], found[-1]]
