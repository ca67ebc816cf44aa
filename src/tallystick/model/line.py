"""Checks names that people type: one line of text, without characters that cannot be seen."""

import re
import unicodedata
from collections.abc import Iterable

_REFUSED = ("Cc", "Cs", "Zl", "Zp")
"""Refused categories of characters: control characters, lone surrogates, line ends."""

_FORMAT = "Cf"
"""Invisible: zero width characters and marks that change the direction of text."""

_MARKS = ("Mn", "Mc", "Me")
"""Drawn over the character before them."""

_JOINERS = "\u200c\u200d"
"""Zero width, but allowed between two characters of scripts and emoji that are written with them."""

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0\U00016fe4\U0001d159")
"""Letters, marks and signs without a visible glyph."""

_IGNORED = (range(0xFFF0, 0xFFF9), range(0xE0000, 0xE1000))
"""Code points reserved for characters without a glyph (``Default_Ignorable_Code_Point``)."""

_VARIANTS = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
"""Variation selectors: they choose the glyph of the emoji or letter before them, but never of a Latin letter."""

_LAST_LATIN = 0x2FF

_flag = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
"""The flag of a country's part, such as Scotland: an emoji spelled with tag characters."""


def line_problems(text: str, most: int) -> list[str]:
    """Messages about an invalid line of text; empty for a valid one.

    Args:
        most: the greatest number of characters.
    """
    problems = [f"must be shorter than {most + 1} characters"] if len(text) > most else []
    checked = text[: most + 1]
    if any(unicodedata.category(character) in _REFUSED for character in checked):
        problems.append("cannot contain control characters")
    if has_invisible(checked):
        problems.append("cannot contain invisible characters, or marks that change the direction of text")
    elif checked and not any(_is_visible(character) for character in checked):
        problems.append("must have a visible character")
    return problems


def _is_visible(character: str) -> bool:
    """Whether a character is visible on its own: letters, numbers, punctuation and symbols, but not marks."""
    return unicodedata.category(character)[0] in "LNPS" and character not in _BLANK


def has_invisible(text: str) -> bool:
    """Whether a text has invisible characters, which make two texts differ that look the same."""
    if text.isascii():
        return False
    plain = _flag.sub("\U0001f3f4", text)
    return any(_is_invisible(plain, place) for place in range(len(plain)))


def _is_invisible(text: str, place: int) -> bool:
    character = text[place]
    before, after = text[max(place - 1, 0) : place], text[place + 1 : place + 2]
    if character in _JOINERS:
        return not all(each and ord(each) > _LAST_LATIN and each not in _JOINERS for each in (before, after))
    if _is_among(character, _VARIANTS):
        return not before or before.isspace() or _is_latin_letter(before) or _is_among(before, _VARIANTS)
    category = unicodedata.category(character)
    if category in _MARKS and (not before or before.isspace()):
        return True  # without a base character it is drawn over the text before the name, or over nothing
    return character in _BLANK or category == _FORMAT or _is_among(character, _IGNORED)


def _is_latin_letter(character: str) -> bool:
    return ord(character) <= _LAST_LATIN and character.isalpha()


def _is_among(character: str, ranges: Iterable[range]) -> bool:
    return any(ord(character) in each for each in ranges)
