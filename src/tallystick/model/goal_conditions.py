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


def condition_of(goal: Goal) -> AllOf:
    """The hits of the goal's site that reach it: all that it asks for has to be true of the same hit."""
    hits = page_condition(goal.page, goal.site) if goal.page else event_condition(goal.event, goal.site)
    return AllOf((*hits.parts, *(Match(dimension=prop(key), values=(value,)) for key, value in goal.props)))


def conditions_of(goals: Iterable[Goal]) -> FilterExpression:
    """The hits that reach at least one of some goals, in as few comparisons as possible."""
    listed = tuple(goals)
    parts: list[AllOf] = [condition_of(goal) for goal in listed if goal.props]
    for site in dict.fromkeys(goal.site for goal in listed):
        plain = [goal for goal in listed if goal.site == site and not goal.props]
        pages = dict.fromkeys(goal.page for goal in plain if goal.page)
        events = dict.fromkeys(goal.event for goal in plain if not goal.page)
        parts += _of_pages(tuple(pages), (site,))
        parts += [_of_events(tuple(events), (site,))] if events else []
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def page_condition(pattern: str, site: int) -> AllOf:
    """Pageviews of a path of a site, in which ``*`` stands for any characters but ``/``, ``**`` for any characters."""
    (condition,) = _of_pages((pattern,), (site,))
    return condition


def event_condition(name: str, site: int) -> AllOf:
    """Events of a site, by their name."""
    return _of_events((name,), (site,))


def _of_pages(patterns: tuple[str, ...], sites: tuple[int, ...]) -> list[AllOf]:
    whole = tuple(pattern for pattern in patterns if "*" not in pattern)
    like = tuple(page_expression(pattern) for pattern in patterns if "*" in pattern)
    found = [
        Match(dimension=PAGE, values=whole, caseless=True, sites=sites),
        Match(dimension=PAGE, operator=Operator.MATCHES, values=like, caseless=True, sites=sites),
    ]
    return [AllOf((match, PAGEVIEWS_ONLY)) for match in found if match.values]


def _of_events(names: tuple[str, ...], sites: tuple[int, ...]) -> AllOf:
    return AllOf((Match(dimension=EVENT_NAME, values=names, caseless=True, sites=sites), EVENTS_ONLY))


def page_expression(pattern: str) -> str:
    """The RE2 expression of the paths of ``page_condition``. Paths are stored without a slash at the end."""
    kept = pattern.rstrip("/") or "/"
    return f"^{'.*'.join(map(_within_a_part, kept.split('**')))}$"


def escaped(text: str) -> str:
    """An RE2 expression that finds this text and nothing else."""
    return "".join(f"\\{each}" if each in _SPECIAL else each for each in text)


def _within_a_part(pattern: str) -> str:
    return "[^/]*".join(map(escaped, pattern.split("*")))
