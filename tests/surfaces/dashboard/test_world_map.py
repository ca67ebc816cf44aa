"""The world map draws every country that has a name, within its budget of bytes."""

import gzip
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.services.analytics.display_names import countries
from tallystick.surfaces.dashboard.map.world_map import COLOURS, NOT_DRAWN, WorldMap, is_drawn, world_map
from tallystick.surfaces.dashboard.support.language import Languages
from tallystick.surfaces.dashboard.support.rendering import FOLDER, environment
from tallystick.surfaces.dashboard.support.static_files import STATIC_FOLDER

BUDGET = 5 * 1024
BUSIEST = (
    *("US", "CN", "IN", "BR", "RU", "CA", "DE", "FR", "GB", "NL", "ES", "IT", "PL", "UA", "TR", "ID", "JP", "KR", "AU"),
    *("MX", "AR", "SE", "NO", "FI", "CH", "AT", "BE", "CZ", "PT", "RO", "VN", "TH", "PH", "MY", "ZA", "EG", "NG", "CO"),
    *("CL", "GR"),
)
DRAWN = sorted(code for code in countries() if is_drawn(code))
LANGUAGES = Languages.load()
WORLD = json.loads((FOLDER / "map" / "countries.json").read_text("utf-8"))


def a_map(figures: dict[str, int]) -> WorldMap:
    return world_map(
        figures,
        lambda code, figure: f"{countries().get(code, code)}: {figure:,} visitors",
        lambda code: f"/sites/example.com?period=28d&page=/blog/count-anything&country={code}",
    )


def html(figures: dict[str, int]) -> str:
    return rendered(a_map(figures))


def rendered(drawn: WorldMap) -> str:
    found = environment(LANGUAGES.english, LANGUAGES)
    return found.from_string("{% from 'map/world_map.html' import world_map %}{{ world_map(map) }}").render(map=drawn)


def compressed(codes: Iterable[str]) -> int:
    return len(gzip.compress(html({code: 9000 - 37 * at for at, code in enumerate(codes)}).encode()))


def corners(path: str) -> list[list[tuple[int, int]]]:
    """The rings of an outline: every pair of numbers is a step."""
    rings, at = [], (0, 0)
    for part in re.findall(r"m([^mz]+)z", path):
        numbers = [int(number) for number in re.findall(r"-?\d+", part)]
        steps = zip(numbers[::2], numbers[1::2], strict=True)
        ring = list(accumulate(steps, lambda a, b: (a[0] + b[0], a[1] + b[1]), initial=at))[1:]
        rings.append(ring)
        at = ring[0]
    return rings


def area(code: str) -> float:
    rings = corners(WORLD["outlines"][code])
    return sum(abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise([*ring, ring[0]]))) / 2 for ring in rings)


def test_every_country_with_a_name_is_on_the_map_or_known_not_to_be() -> None:
    assert {code for code in countries() if not is_drawn(code)} == NOT_DRAWN
    assert not NOT_DRAWN & {*WORLD["outlines"], *WORLD["dots"]}
    assert set(countries()) >= {*WORLD["outlines"], *WORLD["dots"]}
    assert not {*WORLD["outlines"]} & {*WORLD["dots"]}


def test_everything_is_inside_the_frame() -> None:
    points = [at for path in WORLD["outlines"].values() for ring in corners(path) for at in ring]
    for x, y in [*points, *WORLD["dots"].values()]:
        assert 0 <= x <= WORLD["width"]
        assert 0 <= y <= WORLD["height"]


@pytest.mark.parametrize(
    ("code", "square_kilometres"),
    [("BR", 8_510_000), ("CD", 2_345_000), ("DZ", 2_382_000), ("AU", 7_690_000), ("FR", 552_000), ("DE", 357_600)],
)
def test_countries_are_as_large_as_they_are(code: str, square_kilometres: int) -> None:
    """In Equal Earth, all countries have the same scale."""
    assert area(code) / area("US") == pytest.approx(square_kilometres / 9_525_000, rel=0.06)


def test_places_are_where_they_are() -> None:
    west, _ = min(at for ring in corners(WORLD["outlines"]["DE"]) for at in ring)
    assert all(x < west for ring in corners(WORLD["outlines"]["PT"]) for x, _ in ring)
    assert WORLD["dots"]["SG"][1] > WORLD["dots"]["HK"][1]


def test_the_largest_figures_are_darkest() -> None:
    shapes = a_map({"DE": 50, "FR": 40, "NL": 30, "IT": 20, "ES": 10}).shapes
    assert {shape.code: shape.colour for shape in shapes} == {"DE": 5, "FR": 4, "NL": 3, "IT": 2, "ES": 1}


def test_one_country_is_darkest_and_none_are_no_error() -> None:
    assert [shape.colour for shape in a_map({"DE": 1}).shapes] == [COLOURS]
    assert not a_map({}).shapes
    assert not a_map({}).key


def test_countries_without_visitors_and_unknown_ones_are_not_drawn() -> None:
    assert [shape.code for shape in a_map({"": 9, "T1": 8, "A1": 7, "EU": 6, "ZZ": 5, "FR": 0, "NL": 1}).shapes] == [
        "NL"
    ]


def test_dots_lie_over_outlines() -> None:
    shapes = a_map({"SG": 5, "MY": 4, "LU": 3, "DE": 2}).shapes
    assert [shape.is_dot for shape in shapes] == [False, False, True, True]


@given(st.dictionaries(st.sampled_from(DRAWN), st.integers(1, 10**9)))
def test_the_key_says_what_the_colours_mean(figures: dict[str, int]) -> None:
    drawn = a_map(figures)
    ranges = {shade.colour: range(shade.low, shade.high + 1) for shade in drawn.key}
    assert {shape.code for shape in drawn.shapes} == set(figures)
    assert all(figures[shape.code] in ranges[shape.colour] for shape in drawn.shapes)
    assert all(lower.high < higher.low for lower, higher in pairwise(drawn.key))
    assert all(1 <= colour <= COLOURS for colour in ranges)


@given(st.lists(st.sampled_from(DRAWN), min_size=COLOURS, unique=True))
def test_each_colour_has_a_fifth_of_the_countries(codes: list[str]) -> None:
    colours = [shape.colour for shape in a_map({code: at for at, code in enumerate(codes, 1)}).shapes]
    assert max(map(colours.count, range(1, COLOURS + 1))) - min(map(colours.count, range(1, COLOURS + 1))) <= 1


def test_titles_and_addresses_are_text() -> None:
    drawn = world_map({"DE": 1}, lambda *_: "<script>alert(1)</script>", lambda _: '"><script>alert(1)</script>')
    assert "<script" not in rendered(drawn)


def test_the_page_has_no_style_of_its_own() -> None:
    text = html({"DE": 1, "SG": 2})
    assert not re.search(r"<style|\sstyle=|<script|//", text.lower())


def test_forty_countries_are_within_the_budget() -> None:
    assert len(BUSIEST) == 40
    assert compressed(BUSIEST) <= BUDGET


def test_all_countries_are_thirteen_kilobytes() -> None:
    """More than the budget: the overview draws the busiest, the page of the countries all."""
    assert len(DRAWN) > 240
    assert compressed(DRAWN) <= 13 * 1024


def test_the_background_is_an_image_without_style_and_script() -> None:
    """A style in it would be refused by the policy of the page where a person opens it alone."""
    text = (STATIC_FOLDER / "world.svg").read_text("utf-8")
    elements: list[Any] = list(ET.fromstring(text).iter())
    assert {element.tag.rpartition("}")[2] for element in elements} == {"svg", "path"}
    assert not any("style" in element.attrib for element in elements)
    assert len(gzip.compress(text.encode())) <= 8 * 1024
