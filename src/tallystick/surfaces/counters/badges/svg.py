"""A scene as an SVG document. Pure.

Colours are presentation attributes. Only a choice between light and dark pages takes a style sheet, which the policy of
the answer has to name.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from tallystick.surfaces.counters.badges.measuring import is_measured
from tallystick.surfaces.counters.badges.scene import (
    Area,
    Gloss,
    Outlines,
    Paint,
    Point,
    Scene,
    Shape,
    Strokes,
    TextLine,
)

FONT = "Verdana, 'DejaVu Sans', Geneva, sans-serif"
_breaks = re.compile(r"[\t\n\r]")
_turning = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that turn what follows them around, which is the number behind a label."""
_not_in_xml = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class BadgeDocument(NamedTuple):
    """A document, and the style sheet in it; empty for none."""

    text: str
    style: str


def svg_document(scene: Scene) -> BadgeDocument:
    """The picture, with its name as a title."""
    name = _legal(scene.name)
    size = {"width": scene.width, "height": scene.height}
    root = _element(None, "svg", xmlns="http://www.w3.org/2000/svg", **size, role="img", aria_label=name)
    root.set("viewBox", f"0 0 {scene.width} {scene.height}")
    SubElement(root, "title").text = name
    drawing = _Drawing()
    content = Element("g")
    for shape in scene.shapes:
        drawing.add(content, shape)
    style = drawing.style()
    if style:
        SubElement(root, "style").text = style
    root.extend(drawing.gradients)
    if scene.radius:
        _element(_element(root, "clipPath", id="corners"), "rect", **size, rx=scene.radius)
        content.set("clip-path", "url(#corners)")
    root.append(content)
    return BadgeDocument(tostring(root, "unicode"), style)


class _Drawing:
    """Adds shapes to an element, and notes what they refer to.

    Attributes:
        gradients: of shades.
    """

    def __init__(self) -> None:
        self.gradients: list[Element] = []
        self._shades: dict[tuple[tuple[float, bool, float], ...], str] = {}
        self._dark: dict[tuple[str, Paint], str] = {}

    def style(self) -> str:
        """What changes on dark pages."""
        rules = (f".{name}{{{attribute}:{paint.dark}}}" for (attribute, paint), name in self._dark.items())
        return f"@media (prefers-color-scheme:dark){{{''.join(rules)}}}" if self._dark else ""

    def add(self, parent: Element, shape: Shape) -> None:
        match shape:
            case Area(x, y, width, height, paint, radius):
                element = _element(parent, "rect", x=x, y=y, width=width, height=height)
                if radius:
                    element.set("rx", _number(radius))
                self._paint(element, "fill", paint)
            case Gloss(x, y, width, height, stops):
                place = {"x": x, "y": y, "width": width, "height": height}
                _element(parent, "rect", **place, fill=f"url(#{self._gradient(stops)})")
            case Outlines(paths, paint):
                self._paint(_element(parent, "path", d=_outline(paths, "z")), "fill", paint)
            case Strokes(paths, width, paint):
                line: dict[str, str | float] = {
                    "stroke_width": width,
                    "stroke_linecap": "round",
                    "stroke_linejoin": "round",
                }
                self._paint(_element(parent, "path", d=_outline(paths), fill="none", **line), "stroke", paint)
            case TextLine():
                self._write(parent, shape)

    def _write(self, parent: Element, words: TextLine) -> None:
        element = _element(parent, "text", x=words.x, y=words.y, font_family=FONT, font_size=words.size)
        element.text = _legal(words.text)
        if words.width:
            element.set("textLength", _number(words.width))
        if words.bold:
            element.set("font-weight", "bold")
        if not is_measured(words.text):
            # Its width is a guess: letters are narrowed together, since some scripts join them.
            element.set("lengthAdjust", "spacingAndGlyphs")
        self._paint(element, "fill", words.paint)

    def _paint(self, element: Element, attribute: str, paint: Paint) -> None:
        element.set(attribute, paint.light)
        if paint.light != paint.dark:
            element.set("class", self._dark.setdefault((attribute, paint), f"dark{len(self._dark)}"))

    def _gradient(self, stops: tuple[tuple[float, bool, float], ...]) -> str:
        if stops not in self._shades:
            self._shades[stops] = name = f"shade{len(self._shades)}"
            gradient = _element(None, "linearGradient", id=name, x2=0, y2=1)
            for offset, is_white, opacity in stops:
                color = "#ffffff" if is_white else "#000000"
                _element(gradient, "stop", offset=offset, stop_color=color, stop_opacity=opacity)
            self.gradients.append(gradient)
        return self._shades[stops]


def _element(parent: Element | None, tag: str, **attributes: str | float) -> Element:
    """An element; underscores in names of attributes are hyphens."""
    texts = {
        name.replace("_", "-"): value if isinstance(value, str) else _number(value)
        for name, value in attributes.items()
    }
    return Element(tag, texts) if parent is None else SubElement(parent, tag, texts)


def _outline(paths: Iterable[tuple[Point, ...]], end: str = "") -> str:
    """The data of a path. A single point gets a line of no length, which round ends make a dot."""
    return "".join(
        f"M{' '.join(f'{_number(x)} {_number(y)}' for x, y in path)}{end or ('h0' if len(path) == 1 else '')}"
        for path in paths
    )


def _number(value: float) -> str:
    return f"{round(value, 2):g}" if abs(value) < 1_000 else f"{round(value)}"  # noqa: PLR2004  # six digits at most


def _legal(text: str) -> str:
    return _not_in_xml.sub("\N{REPLACEMENT CHARACTER}", _breaks.sub(" ", _turning.sub("", text)))
