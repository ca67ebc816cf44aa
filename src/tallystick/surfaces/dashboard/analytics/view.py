r"""What a page of statistics shows, as its address says it: the period, the comparison, the filters.

The address is short and readable: ``?period=7d&source=Google&page=~blog``. Each filter is one parameter: the name of a
dimension (``model/dimension_names.py``, ``_`` for blanks), then an operator and values. Operators: none or ``=`` is,
``!`` is not, ``~`` contains (upper and lower case are the same), ``!~`` does not contain, ``*`` matches an RE2
expression, ``!*`` does not match. Values are separated by commas; ``\`` before a comma or a backslash makes it a part
of the value. What no parameter can say stands in ``filter``, in the language of ``model/filter_text.py``.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import InputRefused
from tallystick.model.dimension_names import GOAL, PROPERTY, SEGMENT, filtered_by, plain
from tallystick.model.filter_text import parse_filter
from tallystick.surfaces.dashboard.analytics.periods import USUAL
from tallystick.surfaces.dashboard.support.forms import number_in
from tallystick.surfaces.dashboard.support.language import N_

MOST_FILTERS = 20
LONGEST_VALUE = 2_048

OPERATORS = {
    "": "is",
    "=": "is",
    "!": "is_not",
    "~": "contains",
    "!~": "contains_not",
    "*": "matches",
    "!*": "matches_not",
}
_SIGNS = {"is": "", "is_not": "!", "contains": "~", "contains_not": "!~", "matches": "*", "matches_not": "!*"}
OPPOSITES = {
    "is": "is_not",
    "is_not": "is",
    "contains": "contains_not",
    "contains_not": "contains",
    "matches": "matches_not",
    "matches_not": "matches",
}
SEGMENT_OPERATORS = ("is", "is_not")
ONLY_IS_OF_SEGMENTS = N_("A segment can be compared by “is” and “is not”.")
COMPARISONS = ("previous", "year", "off")
GRAPHS = ("visitors", "visits", "pageviews", "views_per_visit", "bounce_rate", "visit_duration", "events", "exit_rate")

_operator = re.compile(r"!~|!\*|[=!~*]|")
_value = re.compile(r"((?:[^,\\]|\\.|\\\Z)*)(,|\Z)", re.DOTALL)
_escaped = re.compile(r"\\(.)", re.DOTALL)
_own_view = re.compile(r"(/[^/]+/[^/]+)/page")
_comparison_dates = re.compile(r"\d{4}-\d{2}-\d{2}\.\.\d{4}-\d{2}-\d{2}", re.ASCII)

SINGLE = ("period", "compare", "match", "by", "graph", "q", "filter", "show", "embed")
"""Parameters that are no filters of one dimension."""


class FilterRefused(InputRefused):
    """A filter of a view cannot be used.

    Args:
        place: in ``View.chips``; None for the expression.
    """

    def __init__(self, message: str, place: int | None) -> None:
        super().__init__(message)
        self.place = place


class Chip(Struct, frozen=True):
    """A filter of one dimension.

    Attributes:
        name: of the dimension as people write it, for example ``entry page`` or ``prop:plan``.
        operator: as filters on the wire have it.
    """

    name: str
    operator: str
    values: tuple[str, ...]

    @property
    def negated(self) -> "Chip":
        """The opposite."""
        return replace(self, operator=OPPOSITES[self.operator])

    @property
    def names_page(self) -> bool:
        """Whether it is what a page's own view is of."""
        return self.name == "page" and self.operator == "is"

    @property
    def lists(self) -> list[Any]:
        """The filter on the wire.

        Raises:
            InputRefused: its dimension or its operator is not known.
        """
        try:
            wire = _wire(self.name)
        except ValueError as error:
            raise InputRefused(str(error)) from error
        values: list[Any] = list(self.values)
        if self.name == SEGMENT:
            if self.operator not in SEGMENT_OPERATORS:
                raise InputRefused(ONLY_IS_OF_SEGMENTS)
            values = [each if (number := number_in(each, 17)) is None else number for each in values]
            inner = ["is", wire, values]
            return inner if self.operator == "is" else ["not", inner]
        caseless: list[Any] = [{"case_sensitive": False}] if self.operator.startswith("contains") else []
        if self.name == GOAL and self.operator in {"is_not", "contains_not"}:
            inner = [OPPOSITES[self.operator], wire, values, *caseless]
            return ["has_not_done", inner]
        return [self.operator, wire, values, *caseless]

    @property
    def parameter(self) -> tuple[str, str]:
        """Name and value in an address."""
        name = self.name if self.name.startswith(PROPERTY) else self.name.replace(" ", "_")
        sign = _SIGNS[self.operator]
        text = text_of(self.values)
        if sign in {"", "!"} and text.startswith(tuple("=!~*")):
            text = f"\\{text}"  # or its first character would be an operator
        return name, sign + text


class View(Struct, frozen=True, kw_only=True):
    """What a page shows.

    Attributes:
        period: its name (``periods.named_range``).
        compare: one of ``COMPARISONS``, or two dates ``2026-01-01..2026-01-28``.
        match_weekdays: whether days are compared with the same days of the week.
        by: the unit of the chart; empty for the usual one of the period.
        graph: the metric of the chart.
        chips: filters that all have to hold.
        expression: one more filter, as text.
        text: words that narrow the pages, as GoatCounter's filter has them.
        lists: names of lists that panels show in place of their first ones.
        embedded: whether the page is without header and footer, for a frame.
        usual_period: the one that an address without a period means.
        own: parameters of the page that shows it, which its links keep.
    """

    period: str = USUAL
    compare: str = "previous"
    match_weekdays: bool = False
    by: str = ""
    graph: str = "visitors"
    chips: tuple[Chip, ...] = ()
    expression: str = ""
    text: str = ""
    lists: tuple[str, ...] = ()
    embedded: bool = False
    usual_period: str = USUAL
    own: tuple[tuple[str, str], ...] = ()

    @property
    def filters(self) -> list[Any]:
        """All filters as lists on the wire, without those of ``text``.

        Raises:
            InputRefused: a filter is not valid; the message says why.
        """
        return [*(chip.lists for chip in self.chips), *self.expression_filters]

    @property
    def expression_filters(self) -> list[Any]:
        """The filters on the wire that the expression means.

        Raises:
            FilterRefused: it is none; the message says where.
        """
        if not self.expression:
            return []
        try:
            parsed = parse_filter(self.expression)
        except ValueError as error:
            raise FilterRefused(str(error), None) from error
        match parsed:
            case ["and", [*parts]]:
                return parts  # some filters have to stand at the top level
        return [parsed]

    @property
    def query(self) -> str:
        """The part of the address behind ``?``; empty for the usual view."""
        usual = View()
        pairs: list[tuple[str, str]] = []
        if self.period != self.usual_period:
            pairs.append(("period", self.period))
        if self.compare != usual.compare:
            pairs.append(("compare", self.compare))
        if self.match_weekdays:
            pairs.append(("match", "weekdays"))
        if self.by:
            pairs.append(("by", self.by))
        if self.graph != usual.graph:
            pairs.append(("graph", self.graph))
        pairs += (chip.parameter for chip in self.chips)
        pairs += ((name, text) for name, text in (("filter", self.expression), ("q", self.text)) if text)
        if self.lists:
            pairs.append(("show", ",".join(self.lists)))
        if self.embedded:
            pairs.append(("embed", "1"))
        pairs += self.own
        return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)

    def at(self, path: str) -> str:
        """The address of a page that shows this."""
        return f"{path}?{query}" if (query := self.query) else path

    def changed(self, **changes: Any) -> "View":  # noqa: ANN401  # fields of this class
        """The same with other values of some fields."""
        return replace(self, **changes)

    def filtered(self, name: str, value: str, operator: str = "is") -> "View":
        """With one more filter, which replaces one of the same dimension and operator."""
        chip = Chip(name, operator, (value,))
        others = tuple(each for each in self.chips if (each.name, each.operator) != (name, operator))
        return replace(self, chips=(*others, chip))

    def without(self, place: int) -> "View":
        """Without the filter at a place in ``chips``."""
        return replace(self, chips=(*self.chips[:place], *self.chips[place + 1 :]))

    def negated(self, place: int) -> "View":
        """With the opposite of the filter at a place."""
        return self.with_chip(place, self.chips[place].negated)

    def with_chip(self, place: int, chip: Chip) -> "View":
        """With another filter at a place, which may be behind the last."""
        return replace(self, chips=(*self.chips[:place], chip, *self.chips[place + 1 :]))


def view_of(parameters: Iterable[tuple[str, str]], usual_period: str = USUAL) -> View:
    """The view that the parameters of an address mean.

    Args:
        parameters: decoded pairs. Others are ignored: they belong to single pages.

    Raises:
        InputRefused: a value is not valid; the message says what is.
    """
    single: dict[str, str] = {}
    chips: list[Chip] = []
    for name, value in parameters:
        if name in SINGLE:
            single[name] = value
        elif is_filter(name):
            chips.append(_chip(name, value))
    if len(chips) > MOST_FILTERS:
        msg = f"a page takes at most {MOST_FILTERS} filters"
        raise InputRefused(msg)
    compare = single.get("compare", "previous")
    if compare not in COMPARISONS and not _comparison_dates.fullmatch(compare):
        msg = f"compare: {compare[:40]!r} is not one of {', '.join(COMPARISONS)}, or two dates with .. between them"
        raise InputRefused(msg)
    graph = single.get("graph", "visitors")
    if graph not in GRAPHS:
        msg = f"graph: {graph[:40]!r} is not one of {', '.join(GRAPHS)}"
        raise InputRefused(msg)
    return View(
        period=single.get("period") or usual_period,
        usual_period=usual_period,
        compare=compare,
        match_weekdays=single.get("match") == "weekdays",
        by=single.get("by", ""),
        graph=graph,
        chips=tuple(chips),
        expression=single.get("filter", "").strip(),
        text=single.get("q", "").strip(),
        lists=tuple(dict.fromkeys(filter(None, single.get("show", "").split(",")))),
        embedded=single.get("embed") == "1",
    )


def is_filter(name: str) -> bool:
    """Whether a parameter is a filter."""
    try:
        _wire(_people_name(name))
    except ValueError:
        return False
    return True


def chip_of(name: str, operator: str, values: Sequence[str]) -> Chip:
    """A filter from the fields of a form.

    Raises:
        InputRefused: the dimension or the operator is not known, or there is no value.
    """
    if not is_filter(name) or operator not in _SIGNS:
        msg = "choose what to filter by, and how to compare"
        raise InputRefused(msg)
    if not values or any(len(each) > LONGEST_VALUE for each in values):
        msg = f"a filter takes a value of at most {LONGEST_VALUE:,} characters"
        raise InputRefused(msg)
    return Chip(_people_name(name), operator, tuple(values))


def values_of(text: str) -> tuple[str, ...]:
    """The values in a text, separated by commas."""
    values, at = [], 0
    while True:
        found = _value.match(text, at)
        assert found is not None
        values.append(_escaped.sub(r"\1", found[1]))
        at = found.end()
        if not found[2]:
            return tuple(values)


def text_of(values: Sequence[str]) -> str:
    """Values as ``values_of`` reads them."""
    return ",".join(each.replace("\\", "\\\\").replace(",", "\\,") for each in values)


def _chip(name: str, value: str) -> Chip:
    found = _operator.match(value)
    assert found is not None
    return chip_of(name, OPERATORS[found[0]], values_of(value[found.end() :]))


def _people_name(name: str) -> str:
    return name if name.startswith(PROPERTY) else plain(name)


def _wire(name: str) -> str:
    """The name of a dimension on the wire.

    Raises:
        ValueError: there is no such dimension.
    """
    if name.startswith(PROPERTY) and len(name) > len(PROPERTY):
        return f"event:props:{name.removeprefix(PROPERTY)}"
    return filtered_by(name)


def _quoted(text: str) -> str:
    return quote(text, safe="/:,.=!~*@-_ ").replace(" ", "+")


def filtered_address(view: View, path: str) -> str:
    """The address of a view after a change of its filters.

    Args:
        path: of the page with the filters. A page's own view that names no page any more becomes that of the site.
    """
    found = _own_view.fullmatch(path)
    return view.at(found[1] if found and not any(chip.names_page for chip in view.chips) else path)


def own_view(view: View, base: str, value: str) -> str:
    """The address of the own view of a page."""
    chips = tuple(each for each in view.chips if each.name != "page")
    return view.changed(chips=(*chips, Chip("page", "is", (value,)))).at(f"{base}/page")
