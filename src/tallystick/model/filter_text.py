r"""Filters as people write them, parsed into the nested lists that questions have for filters on the wire.

::

    filter:      part, or several of them joined by "or"
    part:        term, or several of them joined by "and"
    term:        comparison | "(" filter ")" | "not (" filter ")"
                 | "has done (" filter ")" | "has not done (" filter ")"
    comparison:  name operator values ["ignoring case"]
    operator:    "is" | "is not" | "contains" | "does not contain" | "matches" | "does not match"
                 | "=" | "!=" | "~" (contains) | "!~"
    values:      one or several, separated by commas

A value is bare, or in double quotes, where ``\"`` is a quote and ``\\`` a backslash; any other backslash there is
itself, as expressions need it. Names are those of ``dimension_names``. The name of a property stands behind ``prop:``,
in double quotes as well where it has blanks or signs: ``prop:"paid by" is card``. A segment is named by its name, or by
its number, and takes ``is`` only.
"""

import re
from collections.abc import Callable
from typing import NoReturn

from tallystick.model.dimension_names import SEGMENT, filtered_by

LONGEST, DEEPEST = 4_000, 20
"""Characters of a filter, and pairs of parentheses inside of one another."""
LONGEST_NUMBER = 18
SHOWN = 20
"""Characters that a message quotes."""

OPERATORS = {
    "is": "is",
    "is not": "is_not",
    "contains": "contains",
    "does not contain": "contains_not",
    "matches": "matches",
    "does not match": "matches_not",
    "=": "is",
    "==": "is",
    "!=": "is_not",
    "~": "contains",
    "!~": "contains_not",
}

_blank = re.compile(r"\s*")
_name = re.compile(r"[a-z][a-z_\- ]{0,39}?(?=\s+(?:is|contains|does|matches)\b|\s*(?:!?=|!?~))", re.IGNORECASE)
_property = re.compile(r"prop:", re.IGNORECASE)
_bare_key = re.compile(r'[^\s,()"=!~]+')
_words = re.compile(r"[a-z][a-z_\-]*", re.IGNORECASE)
_operator = re.compile(
    r"(is\s+not|is|contains|does\s+not\s+contain|matches|does\s+not\s+match)(?!\w)|(==|!=|!~|=|~)", re.IGNORECASE
)
_quoted = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_escaped = re.compile(r'\\(["\\])')
_word = re.compile(r'[^\s,()"]+')
_and, _or, _not, _has_done, _has_not_done, _ignoring_case = (
    re.compile(rf"{words}(?![^\s(),\"])", re.IGNORECASE)
    for words in ("and", "or", "not", r"has\s+done", r"has\s+not\s+done", r"ignoring\s+case")
)
_open, _close, _comma = re.compile(r"\("), re.compile(r"\)"), re.compile(",")
_next_filter = re.compile(r"(?:is|contains|matches|does|has|not)|.*[=~].*", re.IGNORECASE)
"""A word that, inside of a bare value, is more likely the next filter after a forgotten "and"."""


def parse_filter(text: str) -> list[object]:
    """Parse a filter.

    Returns:
        For example ``["is", "visit:source", ["Google"]]`` or ``["and", [..., ...]]``.

    Raises:
        ValueError: the message says where, counted from 1, and what was expected there.
    """
    if len(text) > LONGEST:
        msg = f"a filter has at most {LONGEST:,} characters"
        raise ValueError(msg)
    reader = _Reader(text)
    found = reader.any_of()
    reader.end()
    return found


class _Reader:
    """Reads a filter from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0

    def any_of(self) -> list[object]:
        return self._joined("or", _or, self._all_of)

    def end(self) -> None:
        self._skip_blanks()
        if self._at < len(self._text):
            self._refuse('expected "and", "or" or the end')

    def _all_of(self) -> list[object]:
        return self._joined("and", _and, self._term)

    def _joined(self, name: str, word: re.Pattern[str], part: Callable[[], list[object]]) -> list[object]:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else [name, parts]

    def _term(self) -> list[object]:
        for name, words in (("has_done", _has_done), ("has_not_done", _has_not_done), ("not", _not)):
            if self._take(words):
                return [name, self._inner(name.replace("_", " "))]
        if self._looks_at(_open):
            return self._inner("")
        return self._comparison()

    def _inner(self, after: str) -> list[object]:
        """A filter in parentheses."""
        if self._depth >= DEEPEST:
            self._refuse(f"parentheses can be nested {DEEPEST} deep")
        if not self._take(_open):
            self._refuse(f'expected "(" after "{after}"')
        self._depth += 1
        found = self.any_of()
        self._depth -= 1
        if not self._take(_close):
            self._refuse('expected "and", "or" or ")"')
        return found

    def _comparison(self) -> list[object]:
        dimension = self._dimension()
        self._skip_blanks()
        before_operator = self._at
        words = self._take(_operator)
        if not words:
            self._refuse_operator()
        operator = OPERATORS[" ".join(words.lower().split())]
        if dimension == SEGMENT and operator != "is":
            self._at = before_operator
            self._refuse('a segment takes "is" only; its opposite is: not (segment is NAME)')
        values: list[object] = [self._value(words)]
        while self._take(_comma):
            values.append(self._value(","))
        if dimension == SEGMENT:
            return [operator, dimension, [_number_or_name(str(value)) for value in values]]
        self._skip_blanks()
        before_modifier = self._at
        if not self._take(_ignoring_case):
            return [operator, dimension, values]
        if operator.startswith("matches"):
            self._at = before_modifier
            self._refuse('expressions have no "ignoring case": write (?i) at the beginning of the expression')
        return [operator, dimension, values, {"case_sensitive": False}]

    def _dimension(self) -> str:
        if self._take(_property):
            return self._property()
        found = _name.match(self._text, self._at)
        if found is None:
            return self._refuse_comparison()
        name = found[0].strip()
        try:
            dimension = filtered_by(name)
        except ValueError as error:
            self._refuse(str(error), quote=False)
        self._at = found.end()
        return dimension

    def _property(self) -> str:
        """The rest of a property's name."""
        if found := _quoted.match(self._text, self._at):
            key = _escaped.sub(r"\1", found[1])
        elif found := _bare_key.match(self._text, self._at):
            key = found[0]
        else:
            self._refuse('expected the name of a property after "prop:", in double quotes if it has blanks')
        try:
            dimension = filtered_by(f"prop:{key}")
        except ValueError as error:
            self._refuse(str(error), quote=False)
        self._at = found.end()
        return dimension

    def _value(self, after: str) -> str:
        self._skip_blanks()
        if found := _quoted.match(self._text, self._at):
            self._at = found.end()
            return _escaped.sub(r"\1", found[1])
        if self._text.startswith('"', self._at):
            self._refuse('expected a second " at the end of the value')
        words: list[str] = []
        while (word := self._bare_word(bool(words))) is not None:
            words.append(word)
        if not words:
            self._refuse(f'expected a value after "{" ".join(after.split())}"')
        if self._looks_at(_open) or self._text.startswith('"', self._at):
            self._refuse('expected a value in double quotes where it has parentheses or quotes (\\")')
        value = " ".join(words)
        if value.count("{") != value.count("}"):
            self._refuse("expected double quotes around a value with commas or braces")
        return value

    def _bare_word(self, follows: bool) -> str | None:  # noqa: FBT001  # of this class only
        """The next word of a bare value; None at its end."""
        self._skip_blanks()
        found = _word.match(self._text, self._at)
        if found is None or any(words.match(self._text, self._at) for words in (_and, _or, _ignoring_case)):
            return None
        if follows and _next_filter.fullmatch(found[0]):
            self._refuse('expected "and" or "or" before the next filter, or double quotes around the value')
        self._at = found.end()
        return found[0]

    def _refuse_comparison(self) -> NoReturn:
        if not (found := _words.match(self._text, self._at)):
            self._refuse(
                "expected a filter such as: source is Google. Several values are separated by commas: page is /a, /b"
            )
        try:
            filtered_by(found[0])
        except ValueError as error:
            self._refuse(str(error), quote=False)
        self._at = found.end()
        self._refuse_operator()

    def _refuse_operator(self) -> NoReturn:
        self._skip_blanks()
        self._refuse('expected "is", "is not", "contains", "does not contain", "matches" or "does not match"')

    def _skip_blanks(self) -> None:
        found = _blank.match(self._text, self._at)
        assert found is not None  # it matches nothing, too
        self._at = found.end()

    def _looks_at(self, pattern: re.Pattern[str]) -> bool:
        self._skip_blanks()
        return pattern.match(self._text, self._at) is not None

    def _take(self, pattern: re.Pattern[str]) -> str:
        """The text of a pattern, if it stands here; else an empty one."""
        self._skip_blanks()
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _refuse(self, reason: str, *, quote: bool = True) -> NoReturn:
        rest = " ".join(self._text[self._at :].split())
        shown = rest if len(rest) <= SHOWN else f"{rest[:SHOWN]}…"
        here = "" if not quote else f" ({shown})" if rest else " (the end)"
        msg = f"character {self._at + 1}{here}: {reason}"
        raise ValueError(msg)


def _number_or_name(text: str) -> int | str:
    """A segment's number, or its name."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else text
