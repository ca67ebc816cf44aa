"""Badges as pictures, without a server."""

from io import BytesIO
from itertools import pairwise
from pathlib import Path
from runpy import run_path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tallystick.errors import InvalidFields
from tallystick.model.badge import FACES, STYLES, BadgeLook, Style, Theme, badge_request
from tallystick.model.badge_colors import COLOR_NAMES, color_named, ink_on, mixed
from tallystick.surfaces.counters.badges.forms import badge_as
from tallystick.surfaces.counters.badges.measuring import text_width
from tallystick.surfaces.counters.badges.png import png_image, writable
from tallystick.surfaces.counters.badges.scene import Strokes
from tallystick.surfaces.counters.badges.styles import scene_of
from tallystick.surfaces.counters.badges.svg import svg_document
from tallystick.surfaces.counters.badges.wording import message_of, number_text

SVG = "{http://www.w3.org/2000/svg}"
TOOL = Path(__file__).parents[3] / "tools" / "make_badge_pictures.py"
WORDED = [style for style in STYLES if style != "digits"]
DRAWN = [*(BadgeLook(style=style) for style in WORDED), *(BadgeLook(style="digits", face=face) for face in FACES)]


def root_of(label: str, message: str, look: BadgeLook) -> ET.Element:
    return ET.fromstring(svg_document(scene_of(label, message, look)).text)  # our own


@given(st.text(max_size=100), st.text(min_size=1, max_size=60), st.sampled_from(WORDED))
def test_any_text_can_be_drawn_and_fits(label: str, message: str, style: Style) -> None:
    root = root_of(label, message, BadgeLook(style=style))
    width = int(root.get("width", ""))
    texts = list(root.iter(f"{SVG}text"))
    assert len(texts) == (2 if label else 1)
    for text in texts:
        assert float(text.get("x", "")) + float(text.get("textLength", 0)) <= width
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == root.get("aria-label")


@pytest.mark.parametrize("look", DRAWN, ids=lambda look: f"{look.style}-{look.face}")
def test_a_png_is_as_large_as_the_svg_and_shows_the_same(look: BadgeLook) -> None:
    scene = scene_of("visits", "-1234567890", look)
    root = root_of("visits", "-1234567890", look)
    for scale in (1, 2):
        image = Image.open(BytesIO(png_image(scene, scale)))
        assert image.size == (int(root.get("width", "")) * scale, int(root.get("height", "")) * scale)
        colors = image.convert("RGBA").getcolors(1 << 20)
        assert colors is not None
        assert len(colors) > 8, "letters and digits have smooth edges"
    other = png_image(scene_of("visits", "-1234567891", look), 2)
    assert other != png_image(scene, 2)


@pytest.mark.parametrize("face", FACES)
def test_every_digit_looks_different_and_is_as_wide(face: str) -> None:
    look = BadgeLook(style="digits", face=face)  # type: ignore[arg-type]  # one of them
    drawn = [svg_document(scene_of("", str(digit), look)).text.partition("</title>")[2] for digit in range(10)]
    assert len(set(drawn)) == 10
    widths = [scene_of("", number, look).width for number in ("0", "11", "888", "1234")]
    steps = {after - before for before, after in pairwise(widths)}
    assert len(steps) == 1
    assert scene_of("", "42", BadgeLook(style="digits", face=look.face, pad=4)).width == widths[3]
    assert scene_of("", "-42", BadgeLook(style="digits", face=look.face, pad=3)).width == widths[3]


def test_dark_pages_take_a_style_sheet_unless_colours_are_given() -> None:
    automatic = svg_document(scene_of("a", "1", BadgeLook()))
    assert "prefers-color-scheme:dark" in automatic.style
    assert automatic.style in automatic.text
    for look in (BadgeLook(theme="light"), BadgeLook(theme="dark"), BadgeLook(color="#123456", label_color="#fff000")):
        document = svg_document(scene_of("a", "1", look))
        assert (document.style, "<style" in document.text) == ("", False)
    policies = [badge_as("svg", "a", "1", look).policy for look in (BadgeLook(), BadgeLook(theme="dark"))]
    assert b"style-src 'sha256-" in policies[0]
    assert policies[1] == b"default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("theme", "color"), [("auto", (122, 114, 101)), ("light", (34, 29, 22)), ("dark", (239, 233, 222))]
)
def test_digits_with_nothing_behind_them_are_seen_in_a_png(theme: Theme, color: tuple[int, int, int]) -> None:
    scene = scene_of("", "8", BadgeLook(style="digits", face="mono", theme=theme))
    channels = Image.open(BytesIO(png_image(scene, 1))).convert("RGBA").tobytes()
    pixels = {tuple(channels[at : at + 4]) for at in range(0, len(channels), 4)}
    assert {pixel[:3] for pixel in pixels if pixel[3] == 255} == {color}


def test_what_a_png_cannot_write_is_said() -> None:
    assert writable("Größe Привет ½ 12\u202f345 \u22125\u200e")
    for text in ("訪問", "🎉", "عدد"):
        assert not writable(text)
        with pytest.raises(InvalidFields, match="label: has characters that PNG"):
            badge_as("png", text, "1", BadgeLook())
        assert badge_as("svg", text, "1", BadgeLook()).body


NUMBERS = [
    ("en", 1_234_567, False, "1,234,567"),
    ("de", 1_234_567, False, "1.234.567"),
    ("en-IN", 1_234_567, False, "12,34,567"),
    ("en", 999, True, "999"),
    ("en", 12_345, True, "12.3K"),
    ("en", -12_345, True, "-12.3K"),
    ("en", 999_999, True, "1M"),
    ("de", 12_345, True, "12.345"),
    ("de", 1_234_567, True, "1,2\u00a0Mio."),
    ("ja", 12_345, True, "1.2万"),
]


@pytest.mark.parametrize(("locale", "number", "abbreviated", "text"), NUMBERS)
def test_numbers_are_written_as_in_a_language(locale: str, number: int, abbreviated: bool, text: str) -> None:  # noqa: FBT001
    assert number_text(number, locale, abbreviated=abbreviated) == text


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("line", [(0, 3, 1), (0, 0, 0), (5,), (-4, 2, -9)])
def test_a_line_stays_within_its_badge(style: Style, line: tuple[int, ...]) -> None:
    scene = scene_of("visits", "42", BadgeLook(style=style), line)
    plain = scene_of("visits", "42", BadgeLook(style=style))
    if style == "digits":
        assert scene == plain
        return
    assert scene.width > plain.width
    (strokes,) = (shape for shape in scene.shapes if isinstance(shape, Strokes))
    (points,) = strokes.paths
    assert len(points) == len(line)
    for x, y in points:
        assert plain.width <= x < scene.width
        assert 0 < y < scene.height
    assert len(png_image(scene, 1)) > 100


def test_what_stands_around_a_number() -> None:
    asked = badge_request({"prefix": "~", "suffix": " views", "base": " 1000", "abbreviate": ""})
    assert message_of(asked, 500) == "~1.5K views"
    assert message_of(badge_request({"style": "digits", "base": "-10"}), 3) == "-7"
    assert message_of(badge_request({"base": "1000", "since": "7d"}), 3) == "3"


WRONG = [
    ("label", "x" * 101, "must have at most 100 characters"),
    ("prefix", "x" * 21, "must have at most 20 characters"),
    ("color", "mauveish", "must be a name such as green"),
    ("labelColor", "#ffff", "must be a name such as green"),
    ("style", "round", "must be flat, flat-square"),
    ("face", "round", "must be lcd, led"),
    ("pad", "21", "must be a number of digits"),
    ("theme", "pink", "must be auto, light or dark"),
    ("locale", "tlh", "must be a language such as de"),
    ("base", str(2**63), "must be a whole number of 64 bits"),
    ("base", "1e3", "must be a whole number of 64 bits"),
    ("scale", "3", "must be 1 or 2"),
    ("count", "yes", "must be 0 or 1"),
    ("sparkline", "yes", "must be 0 or 1"),
    ("since", "week", "must be today, 7d or 30d"),
]


@pytest.mark.parametrize(("name", "text", "problem"), WRONG)
def test_a_parameter_that_is_not_valid_is_named(name: str, text: str, problem: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        badge_request({name: text})
    assert list(refused.value.errors) == [name]
    assert refused.value.errors[name][0].startswith(problem)


def test_other_parameters_say_nothing_and_empty_ones_the_default() -> None:
    assert badge_request({"v": "2", "color": "", "style": "", "base": "", "abbreviate": "0"}) == badge_request({})
    assert badge_request({"count": ""}).counts
    assert badge_request({"label": ""}).label == ""
    with pytest.raises(InvalidFields) as refused:
        badge_request({"style": "round", "locale": "tlh", "pad": "21"})
    assert set(refused.value.errors) == {"style", "locale", "pad"}
    assert message_of(badge_request({"style": "digits", "prefix": "~", "locale": "de"}), 1_234) == "1234"


def test_the_pictures_of_the_guide_are_those_that_are_drawn() -> None:
    drawn = run_path(str(TOOL))["pictures"]()
    assert len(drawn) >= len(STYLES) + len(FACES)
    assert {file.name: file.read_bytes() for file in drawn} == {file.name: drawn[file] for file in drawn}


def test_colours_and_the_ink_on_them() -> None:
    assert (color_named("Tomato"), color_named("fff"), color_named("#7C3F0C")) == ("#ff6347", "#ffffff", "#7c3f0c")
    assert color_named("green") == "#97ca00", "as on all badges, not as in CSS"
    assert color_named("ff") is color_named("url(x)") is None
    assert all(len(color) == 7 and int(color[1:], 16) >= 0 for color in COLOR_NAMES.values())
    assert (ink_on("#000000"), ink_on("#ffffff"), ink_on("#7c3f0c")) == ("#ffffff", "#1c1309", "#ffffff")
    assert mixed("#000000", "#ffffff", 0.5) == "#808080"
    assert text_width("ill", 11) < text_width("WWW", 11) < text_width("\N{SNOWMAN}" * 6, 11)
