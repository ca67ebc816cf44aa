"""What a badge's address says, and what is copied of it."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote, urlencode

from msgspec import Struct

from tallystick.errors import InvalidFields
from tallystick.surfaces.dashboard.badges.drawing import Colors
from tallystick.surfaces.dashboard.support.language import N_

FIELDS = ("label", "color", "labelColor")
LONGEST_LABEL = 100
TOO_LONG = N_("must have at most 100 characters")
NO_COLOR = N_("must be a name such as green, or hexadecimal digits such as 7c3f0c")

NAMES: Mapping[str, str] = {
    "brightgreen": "#44cc11",
    "green": "#97ca00",
    "yellowgreen": "#a4a61d",
    "yellow": "#dfb317",
    "orange": "#fe7d37",
    "red": "#e05d44",
    "blue": "#007ec6",
    "grey": "#555555",
    "gray": "#555555",
    "lightgrey": "#9f9f9f",
    "lightgray": "#9f9f9f",
    "black": "#000000",
    "white": "#ffffff",
}
"""Colours by the names that badges have everywhere."""

_is_hexadecimal = re.compile(r"#?([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})").fullmatch


class BadgeParameters(Struct, frozen=True):
    """What a badge shows besides the number.

    Attributes:
        label: empty for none.
    """

    label: str
    colors: Colors


def parameters(query: Mapping[str, str], key: str) -> BadgeParameters:
    """What the parameters of an address say; those of other names say nothing.

    Args:
        key: of the counter; the label where none is given.

    Raises:
        InvalidFields: a label is too long, or a colour is none.
    """
    label = query.get("label", key)
    if len(label) > LONGEST_LABEL:
        raise InvalidFields({"label": [TOO_LONG]})
    default = Colors()
    label_color, color = _color(query, "labelColor", default.label), _color(query, "color", default.message)
    return BadgeParameters(label, Colors(label_color, color))


def badge_address(origin: str, name: str, query: Mapping[str, str]) -> str:
    """The address of a badge with the parameters that were typed."""
    typed = {field: query[field] for field in FIELDS if query.get(field)}
    return f"{origin}/badge/{name}.svg" + (f"?{urlencode(typed, quote_via=quote)}" if typed else "")


def snippets(address: str, text: str) -> Sequence[tuple[str, str]]:
    """What is pasted to show a badge: the name of each language, and the text in it.

    Args:
        text: what stands in the place of the picture where it cannot be shown.
    """
    line = " ".join(text.split())
    markdown, asciidoc = re.sub(r"([\\\[\]])", r"\\\1", line), line.replace('"', '\\"')
    return (
        ("Markdown", f"![{markdown}]({address})"),
        ("HTML", f'<img src="{escape(address)}" alt="{escape(line)}">'),
        ("reStructuredText", f".. image:: {address}\n   :alt: {line}"),
        ("AsciiDoc", f'image:{address}["{asciidoc}"]'),
    )


def _color(query: Mapping[str, str], field: str, default: str) -> str:
    text = query.get(field, "")
    if not text:
        return default
    if text in NAMES:
        return NAMES[text]
    found = _is_hexadecimal(text)
    if found is None:
        raise InvalidFields({field: [NO_COLOR]})
    digits = found[1].lower()
    return f"#{digits}" if len(digits) > 3 else "#" + "".join(digit * 2 for digit in digits)  # noqa: PLR2004  # shorthand
