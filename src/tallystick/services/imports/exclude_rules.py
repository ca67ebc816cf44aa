"""Rules that exclude lines of a log: ``[!]FIELD:[glob:|re:]PATTERN``, and rules with a name."""

import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from typing import NamedTuple

from tallystick.errors import InputRefused
from tallystick.services.imports.log_lines import NAMES, Fields

DEFAULT = ("static", "redirect")

STATIC = (
    "avif|bmp|css|eot|flac|gif|gz|ico|jpeg|jpg|js|json|m4a|m4v|map|mjs|mov|mp3|mp4|ogg|ogv|otf|png|svg|tif|tiff|ttf|"
    "wasm|wav|webm|webmanifest|webp|woff|woff2"
)
UNCOUNTED = frozenset({"HEAD", "OPTIONS"})
"""Methods that do not show a page; never counted, whatever the rules."""

_static = re.compile(rf".*\.(?:{STATIC})", re.IGNORECASE).fullmatch
_SPECIAL: dict[str, Callable[[Fields], bool]] = {
    "static": lambda line: _static(path_of(line).partition("?")[0]) is not None,
    "html": lambda line: bool(line.get("content_type")) and "html" not in line["content_type"].lower(),
    "redirect": lambda line: line.get("status", "").startswith("3"),
    "error": lambda line: line.get("status", "")[:1] in ("4", "5"),
}


class Rule(NamedTuple):
    """A rule's text, and the function that says whether it excludes a line."""

    text: str
    excludes: Callable[[Fields], bool]


def rules(texts: Sequence[str]) -> list[Rule]:
    """Parse rules; empty texts are skipped.

    Raises:
        InputRefused: a rule is invalid.
    """
    return [_rule(text) for text in texts if text]


def excluded_by(line: Fields, among: Sequence[Rule]) -> str | None:
    """The rule or method that excludes a line; None for a line that counts."""
    if line.get("method", "").upper() in UNCOUNTED:
        return line["method"].upper()
    return next((rule.text for rule in among if rule.excludes(line)), None)


def path_of(line: Fields) -> str:
    """The path in a line, with its query; also the path of a whole URL."""
    path = line.get("path") or line.get("url", "")
    if not path.startswith("/") and "://" in path[:10]:
        _, slash, rest = path.partition("://")[2].partition("/")
        return slash + rest or "/"
    return path


def _rule(text: str) -> Rule:
    negated, condition = text.startswith("!"), text.removeprefix("!")
    matches = _SPECIAL.get(condition) or _pattern_rule(text, condition)
    return Rule(text, (lambda line: not matches(line)) if negated else matches)


def _pattern_rule(text: str, condition: str) -> Callable[[Fields], bool]:
    field, colon, pattern = condition.partition(":")
    if not colon or not pattern or field not in NAMES - {"ignore"}:
        names = ", ".join(sorted(NAMES - {"ignore"}))
        msg = (
            f"--exclude accepts {', '.join(_SPECIAL)}, or [!]FIELD:[glob:|re:]PATTERN, not {text!r}; fields are {names}"
        )
        raise InputRefused(msg)
    fits = _matcher(text, pattern)
    return lambda line: fits(path_of(line) if field == "path" else line.get(field, ""))


def _matcher(text: str, pattern: str) -> Callable[[str], bool]:
    kind, colon, rest = pattern.partition(":")
    if not colon or kind not in ("glob", "re"):
        return lambda value: pattern in value
    try:
        fits = re.compile(translate(rest)).match if kind == "glob" else re.compile(rest).search
    except re.error as error:
        msg = f"--exclude {text!r} has an invalid regular expression: {error}"
        raise InputRefused(msg) from error
    return lambda value: fits(value) is not None
