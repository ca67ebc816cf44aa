"""A series over time as a picture for other pages, in words that are handed in. Pure."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from tallystick.model.question import Figure, TimeUnit
from tallystick.web.charts.documents import SvgDocument, Theme, cut
from tallystick.web.charts.scales import Scale, area, axis, lines, points
from tallystick.web.charts.time_axis import LabelStyle, time_labels

WIDTH, HEIGHT = 640, 240
LONGEST_TITLE, LONGEST_NUMBER = 60, 40
"""Characters; longer texts are cut where they are drawn, and whole in the document's title."""

_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 56, 64, 568, 140


class PictureWords(Struct, frozen=True, kw_only=True):
    """What a picture says.

    Attributes:
        title: what is counted, where and when.
        number: the figure of the whole period.
        description: the series in a sentence.
        tick: a number beside the axis, in few characters.
        label: a time below the axis.
    """

    title: str
    number: str
    description: str
    tick: Callable[[float], str]
    label: Callable[[datetime, LabelStyle], str]


class PictureSeries(Struct, frozen=True, kw_only=True):
    """The numbers of a picture.

    Attributes:
        starts: the local time at which each unit of time begins, ascending.
        unfinished: for each, whether it still grows.
    """

    unit: TimeUnit
    starts: Sequence[datetime]
    values: Sequence[Figure]
    unfinished: Sequence[bool]
    scale: Scale = Scale.COUNT


def series_picture(words: PictureWords, series: PictureSeries, theme: Theme | None) -> str:
    """The SVG document.

    Args:
        theme: None for the reader's own; see ``SvgDocument``.
    """
    document = SvgDocument(WIDTH, HEIGHT, f"{words.title}: {words.number}", words.description, theme)
    root = document.root
    edge = {"fill": "paper", "stroke": "line"}
    document.add(root, "rect", {"x": 0.5, "y": 0.5, "width": WIDTH - 1, "height": HEIGHT - 1, "rx": 8, **edge})
    document.write(root, cut(words.title, LONGEST_TITLE), {"x": 16, "y": 24, "font-size": 13, "fill": "quiet"})
    number = {"x": 16, "y": 48, "font-size": 20, "font-weight": 600, "fill": "ink"}
    document.write(root, cut(words.number, LONGEST_NUMBER), number)
    _draw_axes(document, words, series)
    _draw_series(document, series)
    return str(document)


def _draw_axes(document: SvgDocument, words: PictureWords, series: PictureSeries) -> None:
    root, scale = document.root, axis(series.values, series.scale)
    for value in scale.ticks:
        y = _TOP + (scale.row(value, _PLOT_HEIGHT) or 0)
        document.add(root, "path", {"d": f"M{_LEFT} {y}h{_PLOT_WIDTH}", "stroke": "line"})
        place = {"x": _LEFT - 8, "y": y + 4, "font-size": 11, "text-anchor": "end"}
        document.write(root, words.tick(value), {**place, "fill": "quiet"})
    for x, name, anchor in time_labels(series.starts, series.unit, words.label, _PLOT_WIDTH):
        place = {"x": _LEFT + x * _PLOT_WIDTH / 1_000, "y": _TOP + _PLOT_HEIGHT + 18, "font-size": 11}
        document.write(root, name, {**place, "text-anchor": anchor, "fill": "quiet"})


def _draw_series(document: SvgDocument, series: PictureSeries) -> None:
    scale = axis(series.values, series.scale)
    drawn = points(series.values, scale, _PLOT_WIDTH, _PLOT_HEIGHT)
    line = lines(drawn, series.unfinished)
    place = {"transform": f"translate({_LEFT} {_TOP})", "fill": "none", "stroke-linecap": "round"}
    group = document.add(document.root, "g", place)
    stroke = {"stroke": "accent", "stroke-width": 2, "stroke-linejoin": "round"}
    document.path(group, area(drawn, scale.row(0, _PLOT_HEIGHT)), {"fill": "area"})
    document.path(group, line.finished, stroke)
    document.path(group, line.unfinished, {**stroke, "stroke-dasharray": "2 5"})
    document.path(group, line.dots, {**stroke, "stroke-width": 7})
