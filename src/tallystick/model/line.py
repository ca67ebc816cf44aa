"""Lines of text that people type: names, not documents. Everyone who sees a name sees all of it."""

import re
import unicodedata
from collections.abc import Iterable

_REFUSED = ("Cc", "Cs", "Zl", "Zp")
"""Categories of characters that no line of text has: control characters, lone surrogates, ends of lines."""

_FORMAT = "Cf"
"""Zero width, and marks that turn the direction of text: none of it is seen."""

_MARKS = ("Mn", "Mc", "Me")
"""Drawn over the character before them."""

_JOINERS = "\u200c\u200d"
"""Zero width, but part of how some scripts and emoji are written: between two characters of theirs."""

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0\U00016fe4\U0001d159")
"""Letters, marks and signs that have no picture."""

_IGNORED = (range(0xFFF0, 0xFFF9), range(0xE0000, 0xE1000))
"""Code points that Unicode keeps for characters without a picture (``Default_Ignorable_Code_Point``)."""

_VARIANTS = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
"""Choose among the pictures of the character before them: of emoji and of some scripts, but of no Latin letter."""

_LAST_LATIN = 0x2FF

_flag = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
"""The flag of a country's part, such as Scotland's: an emoji that is spelled with tags."""


def line_problems(text: str, most: int) -> list[str]:
    """What is wrong with one line of text; empty when nothing is.

    Args:
        most: characters.
    """
    problems = [f"must be shorter than {most + 1} characters"] if len(text) > most else []
    read = text[: most + 1]
    if any(unicodedata.category(character) in _REFUSED for character in read):
        problems.append("cannot contain control characters")
    if has_invisible(read):
        problems.append("cannot contain invisible characters, or marks that turn the direction of text")
    elif read and not any(_is_seen(character) for character in read):
        problems.append("must have a character that can be seen")
    return problems


def _is_seen(character: str) -> bool:
    """Letters, numbers, punctuation and symbols; marks alone, such as accents without a letter, are not."""
    return unicodedata.category(character)[0] in "LNPS" and character not in _BLANK


def has_invisible(text: str) -> bool:
    """Whether a text holds characters that nobody sees, but that make it another text."""
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
        return True  # without a character of its own it is drawn over what stands before the name, or over nothing
    return character in _BLANK or category == _FORMAT or _is_among(character, _IGNORED)


def _is_latin_letter(character: str) -> bool:
    return ord(character) <= _LAST_LATIN and character.isalpha()


def _is_among(character: str, ranges: Iterable[range]) -> bool:
    return any(ord(character) in each for each in ranges)
