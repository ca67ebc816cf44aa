"""Goals as filters of hits.

Paths and names of events are compared in any case, since the first spelling that was seen is the one that is stored.
Properties are compared as they are.
"""

from collections.abc import Iterable

from tallystick.model.dimensions import EVENT_NAME, PAGE, PAGEVIEW, prop
from tallystick.model.goal import Goal
from tallystick.model.question import AllOf, AnyOf, FilterExpression, Match, Operator

EVENTS_ONLY = Match(dimension=EVENT_NAME, values=(PAGEVIEW,), negated=True)
"""Events, but no pageviews."""
PAGEVIEWS_ONLY = Match(dimension=EVENT_NAME, values=(PAGEVIEW,))

_SPECIAL = r"\.+*?()|[]{}^$"
"""The characters that mean something in an expression of RE2."""


def condition_of(goal: Goal) -> FilterExpression:
    """The hits that reach a goal: all that it asks for has to be true of the same hit."""
    hits = page_condition(goal.page) if goal.page else event_condition(goal.event)
    return AllOf((*hits.parts, *(Match(dimension=prop(key), values=(value,)) for key, value in goal.props)))


def conditions_of(goals: Iterable[Goal]) -> FilterExpression:
    """The hits that reach at least one of some goals, in as few comparisons as possible."""
    listed = tuple(goals)
    plain = [goal for goal in listed if not goal.props]
    parts: list[FilterExpression] = [condition_of(goal) for goal in listed if goal.props]
    pages = [goal.page for goal in plain if goal.page]
    if whole := tuple(dict.fromkeys(page for page in pages if "*" not in page)):
        parts.append(AllOf((_whole(whole), PAGEVIEWS_ONLY)))
    if patterns := tuple(dict.fromkeys(page for page in pages if "*" in page)):
        parts.append(AllOf((_like(patterns), PAGEVIEWS_ONLY)))
    if events := tuple(dict.fromkeys(goal.event for goal in plain if not goal.page)):
        parts.append(AllOf((Match(dimension=EVENT_NAME, values=events, caseless=True), EVENTS_ONLY)))
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def page_condition(pattern: str) -> AllOf:
    """Pageviews of a path, in which ``*`` stands for any characters but ``/``, and ``**`` for any characters."""
    return AllOf((_like((pattern,)) if "*" in pattern else _whole((pattern,)), PAGEVIEWS_ONLY))


def event_condition(name: str) -> AllOf:
    """Events of a name."""
    return AllOf((Match(dimension=EVENT_NAME, values=(name,), caseless=True), EVENTS_ONLY))


def page_expression(pattern: str) -> str:
    """The RE2 expression of the paths of ``page_condition``. Paths are stored without a slash at the end."""
    kept = pattern.rstrip("/") or "/"
    return f"^{'.*'.join(map(_within_a_part, kept.split('**')))}$"


def escaped(text: str) -> str:
    """An RE2 expression that finds this text and nothing else."""
    return "".join(f"\\{each}" if each in _SPECIAL else each for each in text)


def _within_a_part(pattern: str) -> str:
    return "[^/]*".join(map(escaped, pattern.split("*")))


def _whole(paths: tuple[str, ...]) -> Match:
    return Match(dimension=PAGE, values=paths, caseless=True)


def _like(patterns: tuple[str, ...]) -> Match:
    expressions = tuple(map(page_expression, patterns))
    return Match(dimension=PAGE, operator=Operator.MATCHES, values=expressions, caseless=True)
