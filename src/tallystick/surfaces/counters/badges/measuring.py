"""How wide texts are on badges. Pure."""

import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path

EM = 1_000
_NARROW, _WIDE, _EMOJI = 650, 1_050, 1_400
_MARKS = frozenset({"Mn", "Me", "Cf"})
_PICTURES = "\U0001f000"


def _widths(weight: str) -> Mapping[str, int]:
    measured = json.loads((Path(__file__).parent / "widths.json").read_text("utf-8"))
    return {character: int(width) for width, characters in measured[weight].items() for character in characters}


WIDTHS: Mapping[bool, Mapping[str, int]] = {False: _widths("regular"), True: _widths("bold")}
"""Measured characters, by whether they are bold: widths in thousandths of the size of the font."""


def is_measured(text: str) -> bool:
    """Whether the width of each character is known, rather than estimated."""
    return all(character in WIDTHS[False] for character in text)


def text_width(text: str, size: float, *, bold: bool = False, spacing: float = 0) -> float:
    """How wide a text is drawn, in pixels.

    Args:
        size: of the font, in pixels.
        spacing: between characters, in pixels.
    """
    widths = WIDTHS[bold]
    total = sum(widths[character] if character in widths else _estimate(character) for character in text)
    return total * size / EM + spacing * max(len(text) - 1, 0)


def _estimate(character: str) -> int:
    """Of a character that no font here has."""
    if unicodedata.category(character) in _MARKS:
        return 0
    if character >= _PICTURES:
        return _EMOJI
    return _WIDE if unicodedata.east_asian_width(character) in {"W", "F"} else _NARROW
