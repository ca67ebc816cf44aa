"""Rules by which pages are counted under one path: ``/orders/*`` gathers ``/orders/17`` and ``/orders/18``.

A ``*`` stands for any text without a slash, also none, once in each part between slashes; ``**`` as the last part
stands for one part or more. The rule is the name of the path. Of several that fit, the first one applies. Upper and
lower case are the same, and so are letters and their percent-encoding.

Matching compares part by part, without expressions made of what people type: its time is at most the length of the path
for each rule.
"""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from tallystick.model.text import storable

PATH_RULES_AT_MOST = 100
LONGEST_PATH_RULE = 500
ANY_TEXT, ANY_REST = "*", "**"


class PathPart(NamedTuple):
    """A part of a rule between slashes.

    Attributes:
        before: the whole part, or what stands before its ``*``.
        after: what stands behind its ``*``; None for a part without one.
    """

    before: str
    after: str | None

    def fits(self, part: str) -> bool:
        """Whether a part of a path, folded, fits."""
        if self.after is None:
            return part == self.before
        shortest = len(self.before) + len(self.after)
        return len(part) >= shortest and part.startswith(self.before) and part.endswith(self.after)


class PathRule(NamedTuple):
    """A rule, taken apart.

    Attributes:
        rest: whether it ends with ``**``, which is not one of the parts.
    """

    name: str
    parts: tuple[PathPart, ...]
    rest: bool

    def fits(self, parts: list[str]) -> bool:
        """Whether the parts of a path, folded, fit."""
        own = len(self.parts)
        if len(parts) <= own if self.rest else len(parts) != own:
            return False
        return all(part.fits(other) for part, other in zip(self.parts, parts, strict=False))


class PathRules:
    """The rules of a site, in their order.

    Args:
        rules: normal ones, without problems.
    """

    def __init__(self, rules: Iterable[str]) -> None:
        self._rules = tuple(map(_taken_apart, rules))

    def name_of(self, path: str) -> str | None:
        """The name under which a clean path is counted; None for its own."""
        parts = _folded_parts(path)
        return next((rule.name for rule in self._rules if rule.fits(parts)), None)


def normal_path_rules(rules: Iterable[str]) -> tuple[str, ...]:
    """Rules as they are stored: without spaces and slashes around them; of two that mean the same, the first one."""
    found: dict[tuple[object, ...], str] = {}
    for text in rules:
        rule = normal_path_rule(text)
        found.setdefault(_taken_apart(rule)[1:], rule)
    return tuple(found.values())


def normal_path_rule(text: str) -> str:
    """A rule as it is stored."""
    text = storable(text.strip())
    return text if "://" in text or not text.strip("/") else "/" + text.strip("/")


def path_rule_problem(rule: str) -> str:
    """What is wrong with a normal rule, in words; empty for nothing."""
    *parts, last = rule.split("/")
    problems = (
        (not rule.startswith("/") or "://" in rule, "must begin with /, such as /orders/*"),
        (len(rule) > LONGEST_PATH_RULE, f"must be shorter than {LONGEST_PATH_RULE} characters"),
        (ANY_TEXT not in rule, "must have a * where paths differ, such as /orders/*"),
        (not rule.strip("/*"), "must not gather all paths: begin with what they share, such as /orders/*"),
        (
            any(ANY_REST in part for part in parts) or (ANY_REST in last and last != ANY_REST),
            "can have ** as its last part only, such as /docs/**",
        ),
        (
            any(part.count(ANY_TEXT) > 1 for part in (*parts, last) if part != ANY_REST),
            "can have one * between two slashes",
        ),
    )
    return next((problem for is_there, problem in problems if is_there), "")


def _taken_apart(rule: str) -> PathRule:
    parts = rule.split("/")
    rest = parts[-1] == ANY_REST
    return PathRule(rule, tuple(map(_part, parts[:-1] if rest else parts)), rest)


def _part(text: str) -> PathPart:
    before, star, after = text.partition(ANY_TEXT)
    return PathPart(_folded(before), _folded(after) if star else None)


def _folded_parts(path: str) -> list[str]:
    """The parts of a path between slashes, in lower case and without percent-encoding."""
    return path.lower().split("/") if "%" not in path else list(map(_folded, path.split("/")))


def _folded(part: str) -> str:
    return unquote(part).lower()
