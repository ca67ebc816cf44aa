"""The goals of a question: configured ones by their names, then events and pages, which need no set-up (D.5)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

from msgspec import Struct

from tallystick.model.dimensions import EVENT_NAME, PAGE
from tallystick.model.goal import Goal
from tallystick.model.goal_conditions import EVENTS_ONLY, PAGEVIEWS_ONLY, condition_of, conditions_of, escaped
from tallystick.model.question import AllOf, AnyOf, FilterExpression, Match, NamedCondition, Operator

VISIT = "Visit "
"""Before the path of a goal that is a page."""


class WantedGoals(Struct, frozen=True):
    """The goals that a filter names.

    Attributes:
        operator: of ``MATCHES``, values are patterns in which ``*`` stands for anything.
        caseless: whether upper and lower case are the same.
    """

    operator: Operator
    values: tuple[str, ...]
    caseless: bool = False

    @property
    def whole(self) -> tuple[str, ...]:
        """The values that are names of goals, or ``Visit`` and a path."""
        match self.operator:
            case Operator.IS:
                return self.values
            case Operator.CONTAINS:
                return ()
            case Operator.MATCHES:
                return tuple(value for value in self.values if "*" not in value or is_page(value))

    def has(self, name: str) -> bool:
        """Whether a goal of this name is meant."""
        values: Sequence[str] = self.values
        if self.caseless:
            name, values = name.lower(), [value.lower() for value in values]
        match self.operator:
            case Operator.IS:
                return name in values
            case Operator.CONTAINS:
                return any(value in name for value in values)
            case Operator.MATCHES:
                return any(is_like(name, value) for value in values)


class GoalRows(Struct, frozen=True):
    """The rows of the dimension ``event:goal``.

    Attributes:
        named: configured goals. A hit is in the row of each goal that it reaches.
        events: the events that are rows by their own names.
    """

    named: tuple[NamedCondition, ...] = ()
    events: AllOf = AllOf((EVENTS_ONLY,))


class GoalNames:
    """What names of goals mean in a question.

    Args:
        sites: those of the question.
        goals: the configured ones, by site.
    """

    def __init__(self, sites: Sequence[int], goals: Mapping[int, Sequence[Goal]]) -> None:
        self._sites = tuple(dict.fromkeys(sites))
        self._goals = {site: tuple(goals.get(site, ())) for site in self._sites}
        self._names = {site: frozenset(goal.name for goal in of_site) for site, of_site in self._goals.items()}
        self._lowered = {site: frozenset(map(str.lower, names)) for site, names in self._names.items()}

    def condition(self, wanted: WantedGoals) -> FilterExpression:
        """The hits that reach at least one of the goals."""
        configured = [goal for goal in chain(*self._goals.values()) if wanted.has(goal.name)]
        parts = [conditions_of(configured)] if configured else []
        parts += self._by_name(wanted)
        parts += self._by_part(wanted)
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def unconfigured(self, wanted: WantedGoals) -> tuple[tuple[str, bool], ...]:
        """Names that can only be those of events, and whether upper and lower case are the same."""
        names = [value for value in wanted.whole if not is_page(value)]
        return tuple((name, wanted.caseless) for name in names if self._without(name, wanted) == self._sites)

    def rows(self, filters: Collection[WantedGoals]) -> GoalRows:
        """The rows by goal, where there are filters on goals those of the goals that all of them name."""
        rows: dict[str, list[Goal]] = {}
        negated: list[FilterExpression] = []
        named = {value.casefold() for each in filters for value in each.whole}
        for site, goals in self._goals.items():
            listed = [goal for goal in goals if all(each.has(goal.name) for each in filters)]
            for goal in listed:
                rows.setdefault(goal.name.casefold(), []).append(goal)
            taken = {goal.event for goal in listed if goal.event and goal.event.casefold() not in named}
            if taken := taken | {goal.name for goal in goals}:
                negated.append(_events(sorted(taken), self._only((site,)), negated=True))
        return GoalRows(
            tuple(NamedCondition(goals[0].name, _one_of(map(condition_of, goals))) for goals in rows.values()),
            AllOf((*negated, EVENTS_ONLY)),
        )

    def _by_name(self, wanted: WantedGoals) -> list[FilterExpression]:
        """Events and pages of the names that no configured goal has."""
        by_sites: dict[tuple[int, ...], list[str]] = {}
        for value in wanted.whole:
            if sites := self._without(value, wanted):
                by_sites.setdefault(self._only(sites), []).append(value)
        parts: list[FilterExpression] = []
        for sites, values in by_sites.items():
            if events := tuple(value for value in values if not is_page(value)):
                match = Match(dimension=EVENT_NAME, values=events, caseless=wanted.caseless, sites=sites)
                parts.append(AllOf((match, EVENTS_ONLY)))
            paths = [value.removeprefix(VISIT) for value in values if is_page(value)]
            parts += (visited(path, sites, caseless=wanted.caseless) for path in paths)
        return parts

    def _by_part(self, wanted: WantedGoals) -> list[FilterExpression]:
        """Events whose names fit, unless a configured goal has the name."""
        values = tuple(value for value in wanted.values if value not in wanted.whole)
        if not values:
            return []
        if wanted.operator is Operator.MATCHES:
            values = tuple(map(anchored, values))
        by_taken: dict[tuple[str, ...], list[int]] = {}
        for site, goals in self._goals.items():
            by_taken.setdefault(tuple(sorted(goal.name for goal in goals)), []).append(site)
        parts: list[FilterExpression] = []
        for taken, sites in by_taken.items():
            only = self._only(sites)
            match = Match(
                dimension=EVENT_NAME, operator=wanted.operator, values=values, caseless=wanted.caseless, sites=only
            )
            others = (_events(taken, only, negated=True),) if taken else ()
            parts.append(AllOf((match, *others, EVENTS_ONLY)))
        return parts

    def _without(self, name: str, wanted: WantedGoals) -> tuple[int, ...]:
        """The sites that have no configured goal of a name."""
        known, name = (self._lowered, name.lower()) if wanted.caseless else (self._names, name)
        return tuple(site for site, names in known.items() if name not in names)

    def _only(self, sites: Sequence[int]) -> tuple[int, ...]:
        """The sites of a comparison; none where they are those of the question."""
        return () if len(sites) == len(self._sites) else tuple(sites)


def is_page(name: str) -> bool:
    """Whether a goal is ``Visit`` and a path; the name of an event may begin with the same word."""
    return name.startswith((f"{VISIT}/", f"{VISIT}*"))


def visited(path: str, sites: tuple[int, ...] = (), *, caseless: bool = False) -> AllOf:
    """Pageviews of a path, in which ``*`` stands for anything."""
    path = path.rstrip("/") or "/"
    if "*" not in path:
        match = Match(dimension=PAGE, values=(path,), caseless=caseless, sites=sites)
    else:
        match = Match(
            dimension=PAGE, operator=Operator.MATCHES, values=(anchored(path),), caseless=caseless, sites=sites
        )
    return AllOf((match, PAGEVIEWS_ONLY))


def anchored(pattern: str) -> str:
    """The RE2 expression of a pattern in which ``*`` stands for anything."""
    return "^" + ".*".join(map(escaped, pattern.split("*"))) + "$"


def is_like(text: str, pattern: str) -> bool:
    """Whether a text is like a pattern in which ``*`` stands for anything. Takes no longer for many of them."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *between, last = others
    if not (text.startswith(first) and text.endswith(last) and len(text) >= len(first) + len(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for part in between:
        if (found := text.find(part, at, end)) < 0:
            return False
        at = found + len(part)
    return True


def _events(names: Iterable[str], sites: tuple[int, ...], *, negated: bool) -> Match:
    return Match(dimension=EVENT_NAME, values=tuple(names), caseless=True, negated=negated, sites=sites)


def _one_of(conditions: Iterable[AllOf]) -> FilterExpression:
    parts = tuple(conditions)
    return parts[0] if len(parts) == 1 else AnyOf(parts)
