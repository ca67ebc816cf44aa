"""SVG documents for other pages: a closed set of elements, in the colours of a theme. Pure.

Colours are presentation attributes, so that a document needs no style sheet. Only the theme of the reader's own device
has one, which the policy of the answer has to name: ``STYLE_HASH``.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Literal, TypeAlias
from xml.etree.ElementTree import Element, SubElement, tostring

from msgspec import Struct
from msgspec.structs import asdict

Theme: TypeAlias = Literal["light", "dark"]

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"
_PAINTED = ("fill", "stroke")
_not_in_xml = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Palette(Struct, frozen=True):
    """The colours of a theme."""

    paper: str
    ink: str
    quiet: str
    line: str
    accent: str
    on_accent: str
    area: str


PALETTES: Mapping[Theme, Palette] = {
    "light": Palette("#fcfbf8", "#221d16", "#62594b", "#ddd4c4", "#7c3f0c", "#ffffff", "#f3e3d0"),
    "dark": Palette("#16130f", "#efe9de", "#b5ab9b", "#3b342a", "#f0b066", "#1c1309", "#2d2216"),
}


def _rules() -> Iterator[str]:
    for name, color in asdict(PALETTES["dark"]).items():
        for attribute in _PAINTED:
            yield f".{attribute}-{name}{{{attribute}:{color}}}"


STYLE = f"@media (prefers-color-scheme:dark){{{''.join(_rules())}}}"
STYLE_HASH = b"sha256-" + b64encode(sha256(STYLE.encode()).digest())


class SvgDocument:
    """A document that is drawn.

    Attributes of elements that paint (``fill``, ``stroke``) have the name of a colour of the palette as their value, or
    ``none``.

    Args:
        width: pixels, as ``height``.
        theme: None for the reader's own: light or dark as the device is set.

    Attributes:
        root: the element ``svg``.
    """

    def __init__(
        self, width: int, height: int, title: str, description: str = "", theme: Theme | None = "light"
    ) -> None:
        self._palette = asdict(PALETTES[theme or "light"])
        self._adapts = theme is None
        attributes = {"xmlns": "http://www.w3.org/2000/svg", "width": width, "height": height, "role": "img"}
        self.root = Element("svg", _strings({**attributes, "viewBox": f"0 0 {width} {height}", "font-family": FONT}))
        self.write(self.root, title, {}, "title")
        if description:
            self.write(self.root, description, {}, "desc")
        if self._adapts:
            self.add(self.root, "style", {}).text = STYLE

    def add(self, parent: Element, tag: str, attributes: Mapping[str, object]) -> Element:
        """Add an element."""
        element = SubElement(parent, tag, _strings(attributes))
        painted = {name: element.get(name, "none") for name in _PAINTED}
        classes = [f"{name}-{color}" for name, color in painted.items() if color != "none"]
        for name, color in painted.items():
            if color != "none":
                element.set(name, self._palette[color])
        if classes and self._adapts:
            element.set("class", " ".join(classes))
        return element

    def path(self, parent: Element, path: str, attributes: Mapping[str, object]) -> None:
        """Add a path, if there is something to draw."""
        if path:
            self.add(parent, "path", {"d": path, **attributes})

    def write(self, parent: Element, text: str, attributes: Mapping[str, object], tag: str = "text") -> None:
        """Add an element with a text; what XML cannot hold is replaced."""
        self.add(parent, tag, attributes).text = _not_in_xml.sub("\N{REPLACEMENT CHARACTER}", text)

    def __str__(self) -> str:
        """The document as text."""
        return tostring(self.root, "unicode")


def cut(text: str, most: int) -> str:
    """At most this many characters; what is left out is replaced by an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def _strings(attributes: Mapping[str, object]) -> dict[str, str]:
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in attributes.items()}
