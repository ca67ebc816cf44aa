"""Axes, bands, paths and classes of colour, for any numbers."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.question import Figure
from tallystick.web.charts.scales import (
    CLASSES,
    HEIGHT,
    MOST_STEPS,
    WIDTH,
    Axis,
    Point,
    Scale,
    area,
    axis,
    bands,
    lines,
    points,
    quantile_class,
)

figures = st.none() | st.integers(0, 2**63) | st.floats(0, 1e300) | st.sampled_from([0, 1, float("nan"), float("inf")])
series = st.lists(figures, max_size=40)
scales = st.sampled_from(Scale)


@pytest.mark.parametrize(
    ("scale", "highest", "ticks"),
    [
        (Scale.COUNT, 0, (0, 1)),
        (Scale.COUNT, 1, (0, 1)),
        (Scale.COUNT, 3, (0, 1, 2, 3)),
        (Scale.COUNT, 9, (0, 5, 10)),
        (Scale.COUNT, 98, (0, 25, 50, 75, 100)),
        (Scale.COUNT, 1_420, (0, 500, 1_000, 1_500)),
        (Scale.PERCENT, 48.2, (0, 20, 40, 60)),
        (Scale.PERCENT, 100, (0, 25, 50, 75, 100)),
        (Scale.RATIO, 0.3, (0, 0.1, 0.2, 0.3)),
        (Scale.RATIO, 2.3, (0, 1, 2, 3)),
        (Scale.SECONDS, 134, (0, 60, 120, 180)),
        (Scale.SECONDS, 5_000, (0, 1_800, 3_600, 5_400)),
        (Scale.SECONDS, 40_000, (0, 10_800, 21_600, 32_400, 43_200)),
        (Scale.SECONDS, 200_000, (0, 86_400, 172_800, 259_200)),
    ],
)
def test_an_axis_has_steps_that_look_even(scale: Scale, highest: float, ticks: tuple[float, ...]) -> None:
    assert axis([None, 0, highest], scale).ticks == ticks


@given(series, scales)
def test_an_axis_covers_every_number_in_few_even_steps(values: list[Figure], scale: Scale) -> None:
    found = axis(values, scale)
    assert found.ticks[0] == 0
    assert found.top >= max((value for value in values if value is not None and value < 1e308), default=0)
    assert 2 <= len(found.ticks) <= MOST_STEPS + 1
    first = found.ticks[1]
    assert all(tick == pytest.approx(number * first) for number, tick in enumerate(found.ticks))


@given(st.integers(0, 2**63))
def test_counts_have_whole_ticks(highest: int) -> None:
    assert all(isinstance(tick, int) for tick in axis([highest], Scale.COUNT).ticks)


@given(st.integers(0, 1_500), st.integers(1, 1_000))
def test_bands_divide_the_width_evenly(buckets: int, width: int) -> None:
    found = bands(buckets, width)
    assert len(found) == buckets
    assert sum(band.width for band in found) == (width if buckets else 0)
    assert all(left.x + left.width == right.x for left, right in pairwise(found))
    assert max((band.width for band in found), default=0) - min((band.width for band in found), default=0) <= 1


@given(series, scales, st.data())
def test_paths_stay_in_the_grid_and_rise_in_time(values: list[Figure], scale: Scale, data: st.DataObject) -> None:
    unfinished = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    drawn = points(values, axis(values, scale))
    for path in (*lines(drawn, unfinished), area(drawn)):
        assert re.fullmatch(r"(?:[ML]\d+ \d+(?:h0)?|Z)*", path)
        for x, y in re.findall(r"[ML](\d+) (\d+)", path):
            assert int(x) <= WIDTH
            assert int(y) <= HEIGHT
    xs = [int(x) for x in re.findall(r"[ML](\d+)", lines(drawn).finished)]
    assert xs == sorted(xs)


@given(series, st.data())
def test_every_segment_between_neighbours_is_drawn_once(values: list[Figure], data: st.DataObject) -> None:
    unfinished = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    drawn = points(values, axis(values, Scale.COUNT))
    neighbours = sum(left.y is not None and right.y is not None for left, right in pairwise(drawn))
    found = lines(drawn, unfinished)
    assert found.finished.count("L") + found.unfinished.count("L") == neighbours
    assert found.finished.count("L") == sum(
        left.y is not None and right.y is not None and not (before or after)
        for (left, right), (before, after) in zip(pairwise(drawn), pairwise(unfinished), strict=True)
    )


@given(series)
def test_every_number_is_seen(values: list[Figure]) -> None:
    drawn = points(values, axis(values, Scale.COUNT))
    found = lines(drawn)
    seen = {(int(x), int(y)) for x, y in re.findall(r"[ML](\d+) (\d+)", found.finished + found.dots)}
    assert seen == {point for point in drawn if point.y is not None}


def test_a_line_has_gaps_dots_and_an_unfinished_end() -> None:
    drawn = [Point(0, 9), Point(1, None), Point(2, 7), Point(3, 6), Point(4, 5)]
    assert lines(drawn) == ("M2 7L3 6L4 5", "", "M0 9h0")
    assert lines(drawn, [False, False, False, False, True]) == ("M2 7L3 6", "M3 6L4 5", "M0 9h0")
    assert lines(drawn[:1], [True]) == ("", "", "M0 9h0")
    assert area(drawn, 10) == "M2 10L2 7L3 6L4 5L4 10Z"


def test_nothing_is_drawn_of_nothing() -> None:
    assert points([], Axis((0, 1))) == []
    assert lines([]) == ("", "", "")
    assert area([]) == ""
    assert points([None, 0, 5, 10, 99], Axis((0, 10)), 100, 50) == [
        Point(10, None),
        Point(30, 50),
        Point(50, 25),
        Point(70, 0),
        Point(90, 0),
    ]


@given(series)
def test_classes_of_colour_rise_with_the_values(values: list[Figure]) -> None:
    class_of = quantile_class(values)
    numbers = sorted(value for value in values if value is not None and value < 1e308)
    found = [class_of(value) for value in numbers]
    assert found == sorted(found)
    assert all((each == 0) == (value == 0) for each, value in zip(found, numbers, strict=True))
    assert set(found) <= set(range(CLASSES + 1))


@given(st.sets(st.integers(1, 10**9), min_size=1))
def test_classes_of_colour_have_about_as_many_values_each(values: set[int]) -> None:
    class_of = quantile_class(list(values))
    found = [class_of(value) for value in values]
    sizes = [found.count(each) for each in range(1, CLASSES + 1)]
    assert max(sizes) <= -(-len(values) // CLASSES)


def test_one_outlier_leaves_the_others_apart() -> None:
    class_of = quantile_class([1, 2, 3, 4, 10**12, None, 0])
    assert [class_of(value) for value in (None, 0, 1, 2, 3, 4, 10**12)] == [0, 0, 1, 2, 3, 4, 5]


@given(st.lists(st.integers(-(2**63), 2**63), min_size=1))
def test_negative_values_are_on_the_axis_and_so_is_zero(values: list[int]) -> None:
    found = axis(values, Scale.COUNT)
    assert found.bottom <= min(values)
    assert found.top >= max(values)
    assert 0 in found.ticks
    assert len(found.ticks) <= 6
    rows = [found.row(value) for value in sorted(values)]
    assert rows == sorted(rows, key=lambda row: -(row or 0))
    assert found.row(found.bottom) == HEIGHT
    assert found.row(found.top) == 0


def test_what_lies_between_a_line_and_zero_is_filled() -> None:
    scale = axis([-5, 5], Scale.COUNT)
    drawn = points([-5, 5], scale, 20, 100)
    assert scale.ticks == (-5, 0, 5)
    assert area(drawn, scale.row(0, 100)) == "M5 50L5 100L15 0L15 50Z"
