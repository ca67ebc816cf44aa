"""``tools/make_map.py`` projects the world and joins countries."""

import runpy
from math import cos, radians
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
TOOL = runpy.run_path(str(ROOT / "tools" / "make_map.py"))
EQUAL_EARTH, JOINED, PATH, SIMPLE = (TOOL[name] for name in ("equal_earth", "joined", "path", "simple"))

SQUARE = [(0, 0), (9, 0), (9, 9), (0, 9)]
BESIDE = [(9, 0), (20, 0), (20, 9), (9, 9)]


@pytest.mark.parametrize(
    ("longitude", "latitude", "x", "y"),
    [
        (0, 0, 0, 0),
        (180, 0, 2.7066299836960748, 0),
        (0, 90, 0, 1.3173627591574133),
        (-52, -12, -0.7737398571326466, -0.2421657412072243),
        (120, 60, 1.3593733917143729, 1.0883008355053194),
    ],
)
def test_the_projection_agrees_with_proj(longitude: float, latitude: float, x: float, y: float) -> None:
    """The values are those of PROJ's `eqearth` on a sphere of radius 1."""
    assert EQUAL_EARTH(longitude, latitude) == pytest.approx((x, y), abs=1e-12)


@given(st.floats(-179, 179), st.floats(-85, 85))
def test_the_projection_keeps_areas(longitude: float, latitude: float) -> None:
    step = 1e-4
    (west, _), (east, _) = EQUAL_EARTH(longitude - step, latitude), EQUAL_EARTH(longitude + step, latitude)
    (_, south), (_, north) = EQUAL_EARTH(longitude, latitude - step), EQUAL_EARTH(longitude, latitude + step)
    assert (east - west) * (north - south) / radians(2 * step) ** 2 == pytest.approx(cos(radians(latitude)), rel=1e-5)


def test_areas_that_touch_become_one() -> None:
    around, borders = JOINED([SQUARE, BESIDE])
    assert [sorted(ring) for ring in around] == [[(0, 0), (0, 9), (20, 0), (20, 9)]]
    assert borders == [[(9, 9), (9, 0)]]


def test_areas_apart_stay_apart() -> None:
    apart = [(x + 30, y) for x, y in SQUARE]
    around, borders = JOINED([SQUARE, apart])
    assert sorted(map(sorted, around)) == sorted(map(sorted, [SQUARE, apart]))
    assert not borders


def test_least_corners_go_first_and_ends_stay() -> None:
    assert SIMPLE([(0, 0), (4, 0), (10, 1), (10, 9), (0, 9)]) == [(0, 0), (10, 1), (10, 9), (0, 9)]
    assert SIMPLE([(0, 0), (0, 0), (3, 0)]) == [(0, 0), (3, 0)]


def test_a_path_is_a_row_of_steps() -> None:
    assert PATH([[(5, 7), (8, 7), (8, 2)], [(1, 1), (2, 3), (4, 3)]]) == "m5 7 3 0 0-5zm-4-6 1 2 2 0z"
