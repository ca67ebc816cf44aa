"""A chart or a number of a site as an SVG document of its own, for other pages. Pure.

It is sent under a policy without any style: a page that wants light or dark by the reader's settings embeds both in a
``<picture>``.
"""

from collections.abc import Sequence

from tallystick.model.question import TimeUnit
from tallystick.surfaces.dashboard.charts.time_chart import Bucket, describe, label_text
from tallystick.surfaces.dashboard.charts.words import NumberWords
from tallystick.web.charts.documents import SvgDocument, Theme, cut
from tallystick.web.charts.picture import PictureSeries, PictureWords, series_picture

LONGEST_LABEL = 40
"""Characters; longer texts are cut where they are drawn, and whole in the document's title."""

_HEIGHT, _CHARACTER, _PADDING = 24, 8, 10


def chart_document(  # noqa: PLR0913, PLR0917  # what is drawn, and how
    title: str, number: str, buckets: Sequence[Bucket], unit: TimeUnit, words: NumberWords, theme: Theme = "light"
) -> str:
    """One metric over time.

    Args:
        title: what is counted, where and when, translated.
        number: the figure of the whole period.
    """
    told = PictureWords(
        title=title,
        number=number,
        description=describe(buckets, unit, words),
        tick=words.tick,
        label=lambda start, style: label_text(words.language, start, style),
    )
    series = PictureSeries(
        unit=unit,
        starts=[bucket.start for bucket in buckets],
        values=[bucket.value for bucket in buckets],
        unfinished=[bucket.unfinished for bucket in buckets],
        scale=words.scale,
    )
    return series_picture(told, series, theme)


def badge_document(label: str, number: str, theme: Theme = "light") -> str:
    """One number with its label."""
    label_shown, number_shown = cut(label, LONGEST_LABEL), cut(number, LONGEST_LABEL)
    left, right = (_CHARACTER * len(text) + 2 * _PADDING for text in (label_shown, number_shown))
    document = SvgDocument(left + right, _HEIGHT, f"{label}: {number}", theme=theme)
    root = document.root
    document.add(root, "rect", {"width": left + right, "height": _HEIGHT, "rx": 4, "fill": "accent"})
    document.path(root, f"M4 0H{left}V{_HEIGHT}H4a4 4 0 0 1 -4 -4V4a4 4 0 0 1 4 -4Z", {"fill": "area"})
    text = {"y": 16.5, "font-size": 13, "text-anchor": "middle"}
    document.write(root, label_shown, {"x": left / 2, **text, "fill": "ink"})
    number_place = {"x": left + right / 2, **text, "font-weight": 600, "fill": "on_accent"}
    document.write(root, number_shown, number_place)
    return str(document)
