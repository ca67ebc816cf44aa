"""A chart or a number as an SVG document of its own, for other pages. Pure.

It is sent under a policy without any style, so colours are presentation attributes. A choice between light and dark by
the reader's settings would need a style sheet: a page that embeds both offers them in a ``<picture>``.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias
from xml.etree.ElementTree import Element, SubElement, tostring

from msgspec import Struct

from tallystick.model.question import TimeUnit
from tallystick.surfaces.dashboard.charts.scales import area, axis, lines, points
from tallystick.surfaces.dashboard.charts.time_axis import time_labels
from tallystick.surfaces.dashboard.charts.time_chart import Bucket, describe, label_text
from tallystick.surfaces.dashboard.charts.words import NumberWords

Theme: TypeAlias = Literal["light", "dark"]

CHART_WIDTH, CHART_HEIGHT = 640, 240
LONGEST_TITLE, LONGEST_LABEL = 60, 40
"""Characters; longer texts are cut where they are drawn, and whole in the document's title."""

_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 56, 64, 568, 140
_BADGE_HEIGHT, _BADGE_CHARACTER, _BADGE_PADDING = 24, 8, 10
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"
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


def chart_document(  # noqa: PLR0913, PLR0917  # what is drawn, and how
    title: str, number: str, buckets: Sequence[Bucket], unit: TimeUnit, words: NumberWords, theme: Theme = "light"
) -> str:
    """One metric over time.

    Args:
        title: what is counted, where and when, translated.
        number: the figure of the whole period.
    """
    colors = PALETTES[theme]
    root = _document(CHART_WIDTH, CHART_HEIGHT, f"{title}: {number}", describe(buckets, unit, words))
    edge = {"fill": colors.paper, "stroke": colors.line}
    _add(root, "rect", {"x": 0.5, "y": 0.5, "width": CHART_WIDTH - 1, "height": CHART_HEIGHT - 1, "rx": 8, **edge})
    _write(root, cut(title, LONGEST_TITLE), {"x": 16, "y": 24, "font-size": 13, "fill": colors.quiet})
    _write(
        root, cut(number, LONGEST_LABEL), {"x": 16, "y": 48, "font-size": 20, "font-weight": 600, "fill": colors.ink}
    )
    _draw_axes(root, buckets, unit, words, colors)
    _draw_series(root, buckets, words, colors)
    return tostring(root, "unicode")


def badge_document(label: str, number: str, theme: Theme = "light") -> str:
    """One number with its label."""
    colors = PALETTES[theme]
    label_shown, number_shown = cut(label, LONGEST_LABEL), cut(number, LONGEST_LABEL)
    left, right = (_BADGE_CHARACTER * len(text) + 2 * _BADGE_PADDING for text in (label_shown, number_shown))
    root = _document(left + right, _BADGE_HEIGHT, f"{label}: {number}")
    size = {"height": _BADGE_HEIGHT, "rx": 4}
    _add(root, "rect", {"width": left + right, **size, "fill": colors.accent})
    _add(root, "path", {"d": f"M4 0H{left}V{_BADGE_HEIGHT}H4a4 4 0 0 1 -4 -4V4a4 4 0 0 1 4 -4Z", "fill": colors.area})
    text = {"y": 16.5, "font-size": 13, "text-anchor": "middle"}
    _write(root, label_shown, {"x": left / 2, **text, "fill": colors.ink})
    _write(root, number_shown, {"x": left + right / 2, **text, "font-weight": 600, "fill": colors.on_accent})
    return tostring(root, "unicode")


def cut(text: str, most: int) -> str:
    """At most this many characters; what is left out is replaced by an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def _draw_axes(root: Element, buckets: Sequence[Bucket], unit: TimeUnit, words: NumberWords, colors: Palette) -> None:
    scale = axis([bucket.value for bucket in buckets], words.scale)
    for value in scale.ticks:
        y = _TOP + (scale.row(value, _PLOT_HEIGHT) or 0)
        _add(root, "path", {"d": f"M{_LEFT} {y}h{_PLOT_WIDTH}", "stroke": colors.line})
        place = {"x": _LEFT - 8, "y": y + 4, "font-size": 11, "text-anchor": "end"}
        _write(root, words.tick(value), {**place, "fill": colors.quiet})
    starts = [bucket.start for bucket in buckets]
    names = time_labels(starts, unit, lambda start, style: label_text(words.language, start, style), _PLOT_WIDTH)
    for x, name, anchor in names:
        place = {"x": _LEFT + x * _PLOT_WIDTH / 1_000, "y": _TOP + _PLOT_HEIGHT + 18, "font-size": 11}
        _write(root, name, {**place, "text-anchor": anchor, "fill": colors.quiet})


def _draw_series(root: Element, buckets: Sequence[Bucket], words: NumberWords, colors: Palette) -> None:
    values = [bucket.value for bucket in buckets]
    scale = axis(values, words.scale)
    drawn = points(values, scale, _PLOT_WIDTH, _PLOT_HEIGHT)
    line = lines(drawn, [bucket.unfinished for bucket in buckets])
    group = _add(root, "g", {"transform": f"translate({_LEFT} {_TOP})", "fill": "none", "stroke-linecap": "round"})
    stroke = {"stroke": colors.accent, "stroke-width": 2, "stroke-linejoin": "round"}
    _path(group, area(drawn, scale.row(0, _PLOT_HEIGHT)), {"fill": colors.area})
    _path(group, line.finished, stroke)
    _path(group, line.unfinished, {**stroke, "stroke-dasharray": "2 5"})
    _path(group, line.dots, {**stroke, "stroke-width": 7})


def _document(width: int, height: int, title: str, description: str = "") -> Element:
    attributes = {"xmlns": "http://www.w3.org/2000/svg", "width": width, "height": height, "role": "img"}
    root = Element("svg", _strings({**attributes, "viewBox": f"0 0 {width} {height}", "font-family": _FONT}))
    _write(root, title, {}, "title")
    if description:
        _write(root, description, {}, "desc")
    return root


def _path(parent: Element, path: str, attributes: Mapping[str, object]) -> None:
    if path:
        _add(parent, "path", {"d": path, **attributes})


def _write(parent: Element, text: str, attributes: Mapping[str, object], tag: str = "text") -> None:
    _add(parent, tag, attributes).text = _not_in_xml.sub("\N{REPLACEMENT CHARACTER}", text)


def _add(parent: Element, tag: str, attributes: Mapping[str, object]) -> Element:
    return SubElement(parent, tag, _strings(attributes))


def _strings(attributes: Mapping[str, object]) -> dict[str, str]:
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in attributes.items()}
