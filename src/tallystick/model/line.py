"""Lines of text that people type: names, not documents. Everyone who sees a name sees all of it."""

import unicodedata

_REFUSED = ("Cc", "Cs", "Zl", "Zp")
"""Categories of characters that no line of text has: control characters, lone surrogates, ends of lines."""

_FORMAT = "Cf"
"""Zero width, and marks that turn the direction of text: none of it is seen."""

_JOINERS = "\u200c\u200d"
"""Zero width, but part of how some scripts and emoji are written: between two characters of theirs."""

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that have no picture."""

_LAST_LATIN = 0x2FF


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
    return not text.isascii() and any(_is_invisible(text, place) for place in range(len(text)))


def _is_invisible(text: str, place: int) -> bool:
    character = text[place]
    if character in _JOINERS:
        around = (text[max(place - 1, 0) : place], text[place + 1 : place + 2])
        return not all(each and ord(each) > _LAST_LATIN and each not in _JOINERS for each in around)
    return character in _BLANK or unicodedata.category(character) == _FORMAT
