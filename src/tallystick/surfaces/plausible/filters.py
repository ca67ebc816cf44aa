"""Filters of a query (contract 2.4), from JSON to ``model.question``."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tallystick.model.dimensions import EVENT_NAME, PAGE, PAGEVIEW, Dimension
from tallystick.model.filter_lists import InvalidFilter, ListedMatch, match_of, read_filter
from tallystick.model.question import (
    EVERYTHING,
    AllOf,
    AnyOf,
    FilterExpression,
    Match,
    Operator,
)
from tallystick.surfaces.plausible.names import GOAL, Vocabulary
from tallystick.web.refusals import ApiRefused

CODE_LETTERS = 2
LONGEST_SHOWN = 1_000
VISIT = "Visit "
"""Before the path of a goal that is a page."""

_WITH_CASE = frozenset({"is", "is_not", "contains", "contains_not"})
_OF_GOALS = frozenset({"is", "contains"})
_SPECIAL = r"\.+*?()|[]{}^$"
"""The characters that mean something in an expression of RE2."""


class DecodedFilters(Struct, frozen=True):
    """All filters of a query.

    Attributes:
        condition: those not on goals.
        goals: those on goals; None without any.
        goal_names: names of events that the site must have seen, and whether upper and lower case are the same.
        on_pages: whether there is a filter on ``event:page``.
    """

    condition: AllOf = EVERYTHING
    goals: AllOf | None = None
    goal_names: tuple[tuple[str, bool], ...] = ()
    on_pages: bool = False

    @property
    def both(self) -> AllOf:
        """The filters together."""
        return self.condition if self.goals is None else AllOf((*self.condition.parts, *self.goals.parts))


class FilterDecoder:
    """Decodes the filters of one query.

    Args:
        faults: takes a fault with its pointer, for example ``#/filters/0: Invalid filter ["is"]``.
    """

    def __init__(self, vocabulary: Vocabulary, faults: Callable[[str], None]) -> None:
        self._vocabulary, self._fault = vocabulary, faults
        self._goal_names: list[tuple[str, bool]] = []
        self._on_pages = False

    def decode(self, filters: Sequence[object]) -> DecodedFilters:
        """The filters, which all have to hold.

        Raises:
            ApiRefused: a filter has a known form but no meaning where it stands. The first of them, after all faults of
                form.
        """
        refusal: ApiRefused | None = None
        conditions: list[FilterExpression] = []
        goals: list[FilterExpression] = []
        for number, each in enumerate(filters):
            try:
                decoded = read_filter(each, self._comparison)
            except InvalidFilter:
                self._fault(f"#/filters/{number}: Invalid filter {as_json(each)}")
                continue
            except ApiRefused as error:
                refusal = refusal or error
                continue
            (goals if _is_goal(each) else conditions).extend(decoded.parts if isinstance(decoded, AllOf) else [decoded])
        if refusal:
            raise refusal
        return DecodedFilters(
            AllOf(tuple(conditions)),
            AllOf(tuple(goals)) if goals else None,
            tuple(self._goal_names),
            self._on_pages,
        )

    def _comparison(self, listed: ListedMatch) -> FilterExpression:
        name, operator, values = listed.name, listed.operator, listed.values
        known = self._vocabulary.dimensions.get(name)
        if known is None or not isinstance(known.grouping, Dimension):
            raise InvalidFilter
        if not values or (listed.case_sensitive is not None and operator not in _WITH_CASE):
            raise InvalidFilter
        if not all(isinstance(each, str) or (name == "visit:city" and type(each) is int) for each in values):
            raise InvalidFilter
        if listed.in_done and not name.startswith("event:"):
            msg = f"has_done and has_not_done take filters on event dimensions only, not on {name}"
            raise ApiRefused(msg)
        if name in {GOAL, "event:hostname"} and listed.depth > 0 and not (listed.in_done and name == GOAL):
            msg = f"a filter on {name} has to stand at the top level"
            raise ApiRefused(msg)
        found = match_of(listed, known.grouping)
        texts = tuple(map(str, values))
        if name == GOAL:
            if operator not in _OF_GOALS:
                msg = f"a filter on {GOAL} takes the operators is and contains"
                raise ApiRefused(msg)
            return self._goal(operator, texts, caseless=found.caseless)
        if (
            name == "visit:country"
            and operator in {"is", "is_not"}
            and any(len(each) != CODE_LETTERS for each in texts)
        ):
            msg = "a filter on visit:country takes two-letter country codes, for example DE"
            raise ApiRefused(msg)
        self._on_pages |= name == "event:page"
        return replace(found, values=texts)

    def _goal(self, operator: str, values: Sequence[str], *, caseless: bool) -> FilterExpression:
        """A goal: an event by its name, or ``Visit /path`` (D.5)."""
        if operator == "contains":
            named = Match(dimension=EVENT_NAME, operator=Operator.CONTAINS, values=tuple(values), caseless=caseless)
            return AllOf((named, EVENTS_ONLY))
        events = tuple(each for each in values if not each.startswith(VISIT))
        self._goal_names += ((each, caseless) for each in events)
        parts: list[FilterExpression] = []
        if events:
            parts.append(AllOf((Match(dimension=EVENT_NAME, values=events, caseless=caseless), EVENTS_ONLY)))
        parts += (visited(each.removeprefix(VISIT), caseless=caseless) for each in values if each.startswith(VISIT))
        return AnyOf(tuple(parts))


EVENTS_ONLY = Match(dimension=EVENT_NAME, values=(PAGEVIEW,), negated=True)
"""Events, but no pageviews."""


def visited(path: str, *, caseless: bool = False) -> Match:
    """Pageviews of a path, in which ``*`` stands for anything."""
    if "*" not in path:
        return Match(dimension=PAGE, values=(path,), caseless=caseless)
    return Match(dimension=PAGE, operator=Operator.MATCHES, values=(anchored(path),), caseless=caseless)


def anchored(pattern: str) -> str:
    """The RE2 expression of a pattern in which ``*`` stands for anything."""
    return "^" + ".*".join(escaped(part) for part in pattern.split("*")) + "$"


def escaped(text: str) -> str:
    """An RE2 expression that finds this text and nothing else."""
    return "".join(f"\\{each}" if each in _SPECIAL else each for each in text)


def as_json(value: object) -> str:
    """A value as messages show it, cut where it is long."""
    try:
        return msgspec.json.encode(value).decode()[:LONGEST_SHOWN]
    except RecursionError:  # a little deeper than what could still be decoded
        return "that is nested so deep"


def _is_goal(each: object) -> bool:
    return isinstance(each, list) and len(each) > 1 and each[1] == GOAL
