"""SVG documents for other pages: well-formed, closed, and the same whatever texts they are given."""

from datetime import timedelta
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.chart_gallery import FIRST, HOSTILE, LONG, buckets, visitors, wave
from tallystick.model.question import TimeUnit
from tallystick.surfaces.dashboard.charts.embed import badge_document, chart_document
from tallystick.surfaces.dashboard.charts.time_chart import Bucket
from tallystick.surfaces.dashboard.support.language import Languages
from tallystick.web.charts.documents import PALETTES, Theme, cut

LANGUAGES = {language.code: language for language in Languages.load()}
ENGLISH = visitors(LANGUAGES["en"])
SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "desc", "rect", "path", "g", "text"}
ATTRIBUTES = {
    "d", "fill", "font-family", "font-size", "font-weight", "height", "role", "rx", "stroke", "stroke-dasharray",
    "stroke-linecap", "stroke-linejoin", "stroke-width", "text-anchor", "transform", "viewBox", "width", "x", "y",
}  # fmt: skip
texts = st.text() | st.text(st.characters()) | st.sampled_from([HOSTILE, LONG, "]]>", "<!DOCTYPE x>", "\x00\x1b\ufffe"])
themes = st.sampled_from(sorted(PALETTES))
values = st.none() | st.integers(0, 2**63) | st.floats(0, 1e15)


def checked(document: str) -> Element:
    """The document, which has to be well-formed and to have nothing but what is listed."""
    root = fromstring(document.encode("utf-8"))
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in ELEMENTS
        assert set(element.attrib) <= ATTRIBUTES
        for value in element.attrib.values():
            assert not {"url(", "javascript:", "http:", "nan", "inf"} & {part for part in value.lower().split() if part}
    assert [child.tag for child in root].count(f"{SVG}title") == 1
    return root


@given(texts, texts, themes)
def test_a_badge_is_well_formed_whatever_it_says(label: str, number: str, theme: Theme) -> None:
    root = checked(badge_document(label, number, theme))
    shown = [element.text or "" for element in root if element.tag == f"{SVG}text"]
    assert len(shown) == 2
    assert all(len(text) <= 40 for text in shown)


@given(texts, texts, st.lists(values, max_size=40), themes)
def test_a_chart_is_well_formed_whatever_it_shows(
    title: str, number: str, series: list[int | float | None], theme: Theme
) -> None:
    found = [Bucket(start=FIRST + timedelta(days=day), value=value) for day, value in enumerate(series)]
    root = checked(chart_document(title, number, found, TimeUnit.DAY, ENGLISH, theme))
    assert root.findtext(f"{SVG}desc")


def test_a_chart_says_what_it_shows() -> None:
    document = chart_document("example.com: visitors, 28 days", "28,411", buckets(28, wave), TimeUnit.DAY, ENGLISH)
    root = checked(document)
    assert root.findtext(f"{SVG}title") == "example.com: visitors, 28 days: 28,411"
    assert (root.findtext(f"{SVG}desc") or "").startswith("Between 701 (Fri, 6 Nov 2026)")
    shown = [element.text for element in root.iter(f"{SVG}text")]
    assert shown[:2] == ["example.com: visitors, 28 days", "28,411"]
    assert {"0", "500", "1K", "1.5K", "2 Nov", "9 Nov"} <= set(shown)
    assert len(document) < 5_000


def test_a_document_is_written_in_one_language() -> None:
    german = visitors(LANGUAGES["de"])
    root = checked(chart_document("Besucher", german.text(28_411), buckets(28, wave), TimeUnit.DAY, german))
    assert "28.411" in [element.text for element in root.iter(f"{SVG}text")]
    assert (root.findtext(f"{SVG}desc") or "").startswith("Zwischen 701 (")


@pytest.mark.parametrize("theme", sorted(PALETTES))
def test_texts_can_be_read(theme: Theme) -> None:
    colors = PALETTES[theme]
    grounds = [(colors.ink, colors.paper), (colors.quiet, colors.paper), (colors.accent, colors.paper)]
    for text, ground in (*grounds, (colors.ink, colors.area), (colors.on_accent, colors.accent)):
        high, low = sorted((_luminance(text), _luminance(ground)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


def test_long_texts_are_cut() -> None:
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abcde\u2026"


def _luminance(color: str) -> float:
    channels = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
