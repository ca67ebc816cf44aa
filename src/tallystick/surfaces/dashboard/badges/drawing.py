"""A badge as an SVG document. Pure.

It has no style sheet, since it is sent under a policy without any. Its text is as wide as it was measured, in whatever
font a reader has.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from msgspec import Struct

HEIGHT, PADDING, FONT_SIZE, CORNER = 20, 6, 11, 3
_BASELINE = 14
_FONT = "Verdana, 'DejaVu Sans', Geneva, sans-serif"
_DARK, _LIGHT = "#1c1309", "#ffffff"
_EM = 1_000
_DARKEST = 0.04045
_not_in_xml = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Colors(Struct, frozen=True):
    """The colours behind label and message: ``#`` and six hexadecimal digits."""

    label: str = "#555555"
    message: str = "#7c3f0c"


def _widths() -> Mapping[str, int]:
    by_width = json.loads((Path(__file__).parent / "widths.json").read_text("utf-8"))
    return {character: int(width) for width, characters in by_width.items() for character in characters}


WIDTHS = _widths()
"""Measured characters: width in thousandths of the size of the font (``tools/make_badge_widths.py``)."""


def badge(label: str, message: str, colors: Colors) -> str:
    """A flat badge.

    Args:
        label: empty for a badge with a message only.
    """
    left = _box(label) if label else 0
    right = _box(message)
    width = left + right
    name = f"{label}: {message}" if label else message
    root = Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg",
        "width": str(width),
        "height": str(HEIGHT),
        "viewBox": f"0 0 {width} {HEIGHT}",
        "role": "img",
        "aria-label": _legal(name),
        "font-family": _FONT,
        "font-size": str(FONT_SIZE),
    })  # fmt: skip
    SubElement(root, "title").text = _legal(name)
    SubElement(root, "rect", {"width": str(width), "height": str(HEIGHT), "rx": str(CORNER), "fill": colors.message})
    if label:
        side, corner = left - CORNER, f"{CORNER} {CORNER} 0 0 1"
        outline = f"M{left} 0V{HEIGHT}h-{side}a{corner} -{CORNER} -{CORNER}V{CORNER}a{corner} {CORNER} -{CORNER}z"
        SubElement(root, "path", {"d": outline, "fill": colors.label})
        _write(root, label, 0, left, colors.label)
    _write(root, message, left, right, colors.message)
    return tostring(root, "unicode")


def text_width(text: str) -> float:
    """How wide a text is drawn, in pixels; characters that were not measured are as wide as they are high."""
    return sum(WIDTHS.get(character, _EM) for character in text) * FONT_SIZE / _EM


def ink_on(color: str) -> str:
    """Black or white, whichever can be read better on a colour (WCAG 2, contrast of luminances)."""
    light = _luminance(color)
    on_dark, on_light = (_luminance(_LIGHT) + 0.05) / (light + 0.05), (light + 0.05) / (_luminance(_DARK) + 0.05)
    return _LIGHT if on_dark >= on_light else _DARK


def _box(text: str) -> int:
    return round(text_width(text)) + 2 * PADDING


def _write(root: Element, text: str, start: int, width: int, background: str) -> None:
    attributes = {"x": f"{start + PADDING}", "y": str(_BASELINE), "fill": ink_on(background)}
    if all(character in WIDTHS for character in text):
        attributes["textLength"] = str(width - 2 * PADDING)
    SubElement(root, "text", attributes).text = _legal(text)


def _legal(text: str) -> str:
    return _not_in_xml.sub("\N{REPLACEMENT CHARACTER}", text)


def _luminance(color: str) -> float:
    red, green, blue = (_linear(int(color[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    """A channel of sRGB without its gamma."""
    return channel / 12.92 if channel <= _DARKEST else ((channel + 0.055) / 1.055) ** 2.4
