"""Lines of text that people type: names, not documents."""

import unicodedata

_REFUSED = ("Cc", "Cs", "Zl", "Zp")
"""Categories of characters that no line of text has: control characters, lone surrogates, ends of lines."""


def line_problems(text: str, most: int) -> list[str]:
    """What is wrong with one line of text; empty when nothing is.

    Args:
        most: characters.
    """
    problems = [f"must be shorter than {most + 1} characters"] if len(text) > most else []
    if any(unicodedata.category(character) in _REFUSED for character in text[: most + 1]):
        problems.append("cannot contain control characters")
    return problems
