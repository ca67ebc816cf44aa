"""Filters of a query (contract 2.4), from JSON to ``model.question``."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import InputRefused
from tallystick.model.dimensions import Dimension
from tallystick.model.filter_lists import InvalidFilter, ListedMatch, NestedTooDeep, match_of, read_filter
from tallystick.model.question import EVERYTHING, AllOf, AnyOf, FilterExpression, Operator
from tallystick.model.segment import Segment
from tallystick.services.analytics.questions import MOST_VALUES
from tallystick.services.inquiries.configured import SEGMENT, chosen_segments
from tallystick.services.inquiries.goal_names import GoalNames, GoalRows, WantedGoals
from tallystick.services.inquiries.names import GOAL, Vocabulary

CODE_LETTERS = 2
LONGEST_SHOWN = 1_000
MOST_SEGMENTS = 20
"""To which the filters of one query refer: each of them is read again."""

_WITH_CASE = frozenset({"is", "is_not", "contains", "contains_not"})
_OF_GOALS = frozenset({"is", "contains"})


class DecodedFilters(Struct, frozen=True):
    """All filters of a query.

    Attributes:
        condition: those not on goals, and those that always hold.
        goals: the others, on goals; None without any.
        goal_names: names of events that the site must have seen, and whether upper and lower case are the same.
        on_pages: whether there is a filter on ``event:page``.
        goal_rows: what is listed by goal.
    """

    condition: AllOf = EVERYTHING
    goals: AllOf | None = None
    goal_names: tuple[tuple[str, bool], ...] = ()
    on_pages: bool = False
    goal_rows: GoalRows = GoalRows()

    @property
    def both(self) -> AllOf:
        """The filters together."""
        return self.condition if self.goals is None else AllOf((*self.condition.parts, *self.goals.parts))


class FilterDecoder:
    """Decodes the filters of one query.

    Args:
        segments: those that filters may refer to.
        faults: takes a fault with its pointer, for example ``#/filters/0: Invalid filter ["is"]``.
    """

    def __init__(
        self, vocabulary: Vocabulary, goals: GoalNames, segments: Sequence[Segment], faults: Callable[[str], None]
    ) -> None:
        self._vocabulary, self._goals, self._segments, self._fault = vocabulary, goals, segments, faults
        self._goal_names: list[tuple[str, bool]] = []
        self._wanted: list[WantedGoals] = []
        self._on_pages = self._inside = False
        self._segments_used = 0

    def decode(self, filters: Sequence[object], locked: int = 0) -> DecodedFilters:
        """The filters, which all have to hold.

        Args:
            locked: how many of the first ones always hold.

        Raises:
            InputRefused: a filter has a known form but no meaning where it stands. The first of them, after all faults
                of form.
        """
        refusal: InputRefused | None = None
        conditions: list[FilterExpression] = []
        goals: list[FilterExpression] = []
        for number, each in enumerate(filters):
            try:
                segment, expanded = self._at_top(each)
                for part in expanded:
                    decoded = self._read(part, segment)
                    parts = decoded.parts if isinstance(decoded, AllOf) else (decoded,)
                    (goals if _is_goal(part) and number >= locked else conditions).extend(parts)
            except NestedTooDeep as error:
                self._fault(f"#/filters/{number}: {error}")
            except InvalidFilter as error:
                # Plausible gives no reason.
                reason = f": {error}" if self._vocabulary.extended else ""
                self._fault(f"#/filters/{number}: Invalid filter {as_json(each)}{reason}")
            except InputRefused as error:
                refusal = refusal or error
        if refusal:
            raise refusal
        return DecodedFilters(
            AllOf(tuple(conditions)),
            AllOf(tuple(goals)) if goals else None,
            tuple(self._goal_names),
            self._on_pages,
            self._goals.rows(self._wanted),
        )

    def _comparison(self, listed: ListedMatch) -> FilterExpression:
        name, operator, values = listed.name, listed.operator, listed.values
        if name == SEGMENT:
            return self._of_segments(listed)
        known = self._vocabulary.dimension(name)
        if known is None or not isinstance(known.grouping, Dimension):
            msg = f"there is no filter on {name[:40]!r}"
            raise InvalidFilter(msg)
        if not values or (listed.case_sensitive is not None and operator not in _WITH_CASE):
            msg = f"the filter on {name} has no values" if not values else f"{operator[:40]} takes no case_sensitive"
            raise InvalidFilter(msg)
        if not all(isinstance(each, str) or (name == "visit:city" and type(each) is int) for each in values):
            msg = f"the filter on {name} has a value that is no text"
            raise InvalidFilter(msg)
        if listed.in_done and not name.startswith("event:"):
            msg = f"has_done and has_not_done take filters on event dimensions only, not on {name}"
            raise InputRefused(msg)
        if name in {GOAL, "event:hostname"} and listed.depth > 0 and not (listed.in_done and name == GOAL):
            msg = f"a filter on {name} has to stand at the top level"
            raise InputRefused(msg)
        found = match_of(listed, known.grouping)
        texts = tuple(map(str, values))
        if name == GOAL:
            return self._goal(listed, texts, caseless=found.caseless)
        if (
            name == "visit:country"
            and operator in {"is", "is_not"}
            and any(len(each) != CODE_LETTERS and (each or not self._vocabulary.extended) for each in texts)
        ):
            msg = "a filter on visit:country takes two-letter country codes, for example DE"
            raise InputRefused(msg)
        self._on_pages |= name == "event:page"
        return replace(found, values=texts)

    def _goal(self, listed: ListedMatch, values: tuple[str, ...], *, caseless: bool) -> FilterExpression:
        if listed.operator not in _OF_GOALS:
            msg = f"a filter on {GOAL} takes the operators is and contains"
            raise InputRefused(msg)
        if len(values) > MOST_VALUES:
            msg = f"a filter on {GOAL} takes at most {MOST_VALUES} values"
            raise InputRefused(msg)
        wanted = WantedGoals(Operator(listed.operator), values, caseless)
        self._goal_names += self._goals.unconfigured(wanted)
        if not listed.in_done:
            self._wanted.append(wanted)
        return self._goals.condition(wanted)

    # Segments.

    def _at_top(self, each: object) -> tuple[Segment | None, list[Any]]:
        """A filter, or the filters of the one segment that it names."""
        match each:
            case ["is", name, [number]] if name == SEGMENT:
                (segment,) = self._named([number])
                return segment, segment.filters
        return None, [each]

    def _of_segments(self, listed: ListedMatch) -> FilterExpression:
        if listed.operator != "is" or not listed.values or listed.case_sensitive is not None:
            msg = 'a filter on segments is a list such as ["is", "segment", [1]]'
            raise InvalidFilter(msg)
        if self._inside:
            msg = "a segment cannot contain another segment"
            raise InvalidFilter(msg)
        parts = []
        for segment in self._named(listed.values):
            inner = [self._read(each, segment, listed.depth + 1, in_done=listed.in_done) for each in segment.filters]
            parts.append(inner[0] if len(inner) == 1 else AllOf(tuple(inner)))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _named(self, values: Sequence[Any]) -> list[Segment]:
        self._segments_used += len(values)
        if self._segments_used > MOST_SEGMENTS:
            msg = f"the filters of a query take at most {MOST_SEGMENTS} segments"
            raise InputRefused(msg)
        try:
            return chosen_segments(self._segments, values, by_name=self._vocabulary.extended)
        except ValueError as error:
            raise InvalidFilter(str(error)) from error

    def _read(
        self, each: object, segment: Segment | None, depth: int = 0, *, in_done: bool = False
    ) -> FilterExpression:
        """A filter, of the query itself or of a segment."""
        if segment is None:
            return read_filter(each, self._comparison)
        self._inside = True
        try:
            return read_filter(each, self._comparison, depth=depth, in_done=in_done)
        except (InvalidFilter, InputRefused) as error:
            msg = f"the segment {segment.name!r} ({segment.id}) cannot be used here: {error}"
            raise InputRefused(msg) from error
        finally:
            self._inside = False


def as_json(value: object) -> str:
    """A value as messages show it, cut where it is long."""
    try:
        return msgspec.json.encode(value).decode()[:LONGEST_SHOWN]
    except RecursionError:  # a little deeper than what could still be decoded
        return "that is nested so deep"


def _is_goal(each: object) -> bool:
    return isinstance(each, list) and len(each) > 1 and each[1] == GOAL
