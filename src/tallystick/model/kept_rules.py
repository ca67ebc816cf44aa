"""Checks goals, funnels, segments, saved views, annotations and shared links.

Each function returns messages by field; none for a valid value.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msgspec

from tallystick.model.annotation import MAX_ANNOTATION_LINK, MAX_ANNOTATION_TEXT, Annotation
from tallystick.model.dimension_names import DIMENSIONS
from tallystick.model.dimensions import EVENT_NAME, PAGEVIEW
from tallystick.model.filter_lists import InvalidFilter, ListedMatch, match_of, read_filter
from tallystick.model.funnel import MAX_STEPS, MIN_STEPS, Funnel, FunnelStep
from tallystick.model.goal import MAX_GOAL_NAME, MAX_GOAL_PROPS, Goal
from tallystick.model.line import line_problems
from tallystick.model.path import MAX_PATH
from tallystick.model.question import FilterExpression
from tallystick.model.saved_view import MAX_SAVED_VIEW_NAME, MAX_SAVED_VIEW_QUERY, SavedView
from tallystick.model.segment import MAX_SEGMENT_NAME, Segment
from tallystick.model.shared_link import MAX_LINK_NAME, MAX_PANELS, SharedLink
from tallystick.model.text import storable

MAX_FUNNEL_NAME = 120
MAX_PROP_NAME, MAX_PROP_VALUE = 300, 2_000
"""Bytes."""
MAX_FILTERS = 10_000
"""Bytes of JSON."""

GOAL, PROPERTY, SEGMENT = "event:goal", "event:props:", "segment"
FILTERED: frozenset[str] = frozenset({*DIMENSIONS.values(), GOAL, "visit:region_name", "visit:city", "visit:city_name"})
"""What filters of a segment may compare, besides properties of events."""
AT_TOP_LEVEL = frozenset({GOAL, "event:hostname"})

Problems: TypeAlias = dict[str, list[str]]

_PANEL = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MINUTE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}", re.ASCII)
_encode = msgspec.json.Encoder().encode


def goal_problems(goal: Goal) -> Problems:
    """Messages about a goal."""
    problems = {
        "name": name_problems(goal.name, MAX_GOAL_NAME),
        "page": _page_problems(goal.page),
        "event": _event_problems(goal.event),
        "props": _props_problems(goal.props),
    }
    if goal.page and goal.event:
        problems["page"].append("a goal has either a page or an event; this one has both a page and an event")
    if not goal.page and not goal.event:
        problems["page"].append("a goal has either a page or an event; this one has neither a page nor an event")
    return _found(problems)


def funnel_problems(funnel: Funnel) -> Problems:
    """Messages about a funnel; whether its goals exist is not checked."""
    problems: Problems = {"name": name_problems(funnel.name, MAX_FUNNEL_NAME), "steps": []}
    if not MIN_STEPS <= len(funnel.steps) <= MAX_STEPS:
        problems["steps"].append(f"a funnel has {MIN_STEPS} to {MAX_STEPS} steps; this one has {len(funnel.steps)}")
        return _found(problems)
    for number, step in enumerate(funnel.steps):
        problems[f"steps/{number}"] = _step_problems(step)
    for number in (0, len(funnel.steps) - 1):
        if funnel.steps[number].optional:
            problems[f"steps/{number}"].append("the first and the last step cannot be optional")
    return _found(problems)


def segment_problems(segment: Segment) -> Problems:
    """Messages about a segment."""
    return _found(
        {"name": name_problems(segment.name, MAX_SEGMENT_NAME), "filters": _filters_problems(segment.filters)}
    )


def saved_view_problems(view: SavedView) -> Problems:
    """Messages about a saved view."""
    is_query = 0 < len(view.query) <= MAX_SAVED_VIEW_QUERY and view.query.isascii() and view.query.isprintable()
    return _found(
        {
            "name": name_problems(view.name, MAX_SAVED_VIEW_NAME),
            "query": []
            if is_query
            else [f"must have 1 to {MAX_SAVED_VIEW_QUERY:,} characters, as addresses have them"],
        }
    )


def annotation_problems(annotation: Annotation) -> Problems:
    """Messages about an annotation."""
    return _found(
        {
            "at": [] if is_moment(annotation.at) else ["must be a date such as 2026-03-10, or 2026-03-10 14:30"],
            "text": _text_problems(annotation.text),
            "link": _link_problems(annotation.link),
        }
    )


def shared_link_problems(link: SharedLink) -> Problems:
    """Messages about a shared link; whether there are panels of its names is not checked."""
    problems: Problems = {
        "name": name_problems(link.name, MAX_LINK_NAME),
        "filters": _filters_problems(link.filters) if link.filters else [],
        "panels": [f"there can be {MAX_PANELS} at most"] if len(link.panels) > MAX_PANELS else [],
    }
    if not all(map(_PANEL.fullmatch, link.panels[:MAX_PANELS])):
        problems["panels"].append("a name of a panel has small letters, digits, - and _ only")
    return _found(problems)


def name_problems(name: str, most: int) -> list[str]:
    """Messages about a name: one line of text that is not empty."""
    return line_problems(name, most) if name.strip() else ["must not be empty"]


def is_date(text: str) -> bool:
    """Whether a text is a date such as ``2026-03-10``."""
    return bool(_DATE.fullmatch(text)) and _exists(text)


def is_moment(text: str) -> bool:
    """Whether a text is a date, or a minute such as ``2026-03-10 14:30``."""
    return is_date(text) or (bool(_MINUTE.fullmatch(text)) and _exists(text))


def goals_named(filters: Sequence[object]) -> set[str]:
    """The names of goals with which filters compare."""
    found: set[str] = set()

    def compare(listed: ListedMatch) -> FilterExpression:
        if listed.name == GOAL and listed.operator == "is":
            found.update(str(value) for value in listed.values)
        return match_of(listed, EVENT_NAME)

    for each in filters:
        read_filter(each, compare)
    return found


def with_goal_renamed(filters: list[Any], before: str, after: str) -> list[Any]:
    """Filters in which the name of a goal is replaced; upper and lower case of ``before`` do not matter."""
    folded = before.casefold()

    def renamed(lists: Any) -> Any:  # noqa: ANN401  # of JSON
        match lists:
            case ["is", str(name), [*values], *options] if name == GOAL:
                return ["is", name, [after if str(each).casefold() == folded else each for each in values], *options]
            case [*parts]:
                return [renamed(part) for part in parts]
        return lists

    return [renamed(each) for each in filters]


def _page_problems(page: str) -> list[str]:
    if not page:
        return []
    problems = line_problems(page, MAX_PATH)
    if not page.startswith(("/", "*")):
        problems.append("must begin with / or *, for example /blog/*")
    return problems


def _event_problems(event: str) -> list[str]:
    if not event:
        return []
    problems = line_problems(event, MAX_PATH)
    if event.startswith("/"):
        problems.append("cannot begin with /: that is a page")
    if event == PAGEVIEW:
        problems.append(f"{PAGEVIEW} is no event: give the page, or ** for every page")
    return problems


def _props_problems(props: tuple[tuple[str, str], ...]) -> list[str]:
    problems = [f"there can be {MAX_GOAL_PROPS} at most"] if len(props) > MAX_GOAL_PROPS else []
    for name, value in props[:MAX_GOAL_PROPS]:
        if not name.strip() or _size(name) > MAX_PROP_NAME or line_problems(name, MAX_PROP_NAME):
            problems.append(f"a name is a line of 1 to {MAX_PROP_NAME} bytes")
        if _size(value) > MAX_PROP_VALUE or storable(value) != value:
            problems.append(f"a value is a text of {MAX_PROP_VALUE:,} bytes at most")
    return problems


def _step_problems(step: FunnelStep) -> list[str]:
    problems = line_problems(step.name, MAX_FUNNEL_NAME) + _page_problems(step.page) + _event_problems(step.event)
    if (step.goal > 0) + bool(step.page) + bool(step.event) != 1:
        problems.append("a step has exactly one of a goal, a page and an event")
    return problems


def _filters_problems(filters: list[Any]) -> list[str]:
    if not filters:
        return ["must not be empty"]
    try:
        encoded = _encode(filters)
    except (UnicodeEncodeError, RecursionError, OverflowError):
        return ["have a text or a number that cannot be stored, or are nested too deep"]
    if len(encoded) > MAX_FILTERS:
        return [f"must be smaller than {MAX_FILTERS:,} bytes as JSON"]
    for each in filters:
        try:
            read_filter(each, _checked)
        except InvalidFilter as error:
            return [str(error)]
    return []


def _checked(listed: ListedMatch) -> FilterExpression:
    msg = ""
    if listed.name == SEGMENT:
        msg = "a segment cannot contain another segment"
    elif listed.name not in FILTERED and not (listed.name.startswith(PROPERTY) and listed.name != PROPERTY):
        msg = f"there is no filter on {listed.name[:40]!r}"
    elif not listed.values:
        msg = f"the filter on {listed.name[:40]} has no values"
    elif not all(isinstance(each, str) or (listed.name == "visit:city" and _is_id(each)) for each in listed.values):
        msg = f"the filter on {listed.name[:40]} has a value that is no text"
    elif listed.in_done and not listed.name.startswith("event:"):
        msg = f"has_done and has_not_done take filters on event dimensions only, not on {listed.name}"
    elif listed.name in AT_TOP_LEVEL and listed.depth > 0 and not (listed.in_done and listed.name == GOAL):
        msg = f"a filter on {listed.name} has to stand at the top level"
    elif listed.name == GOAL and listed.operator not in {"is", "contains"}:
        msg = f"a filter on {GOAL} takes the operators is and contains"
    if msg:
        raise InvalidFilter(msg)
    return match_of(listed, EVENT_NAME)


def _is_id(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**53  # the greatest that JSON has everywhere


def _text_problems(text: str) -> list[str]:
    if not text.strip():
        return ["must not be empty"]
    problems = (
        [f"must be shorter than {MAX_ANNOTATION_TEXT + 1:,} characters"] if len(text) > MAX_ANNOTATION_TEXT else []
    )
    lines = re.split(r"\r?\n", text[: MAX_ANNOTATION_TEXT + 1])
    return problems + list(
        dict.fromkeys(each for line in lines if line.strip() for each in line_problems(line, MAX_PATH))
    )


def _link_problems(link: str) -> list[str]:
    if not link:
        return []
    if len(link) > MAX_ANNOTATION_LINK:
        return [f"must be shorter than {MAX_ANNOTATION_LINK + 1:,} characters"]
    try:
        parts = urlsplit(link)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_web = False
    if (
        not is_web
        or line_problems(link, MAX_ANNOTATION_LINK)
        or any(each.isspace() or each in '<>"\\' for each in link)
    ):
        return ["must be a URL that begins with http:// or https://"]
    return []


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _exists(text: str) -> bool:
    try:
        datetime.fromisoformat(text)  # by the clocks of a zone that is not known here
    except ValueError:
        return False
    return True


def _found(problems: Mapping[str, list[str]]) -> Problems:
    return {field: messages for field, messages in problems.items() if messages}
