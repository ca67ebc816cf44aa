"""Axes, bands, path strings and classes of colour. Pure; everything lies on an integer grid.

The drawings stretch to the width of the page (``preserveAspectRatio="none"``), so the grid has no unit.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from fractions import Fraction
from itertools import count, pairwise
from math import ceil, isfinite
from typing import NamedTuple, TypeGuard

from msgspec import Struct

from tallystick.model.question import Figure

WIDTH, HEIGHT = 1_000, 220
"""The grid of a time chart; the origin is the upper left corner."""
MOST_STEPS = 4
"""Of an axis, so that the numbers beside it are few."""
CLASSES = 5
"""Of colour. Class 0 is for nothing at all."""

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


class Scale(Enum):
    """What the numbers of an axis are; which steps look even depends on it."""

    COUNT = "count"
    RATIO = "ratio"
    PERCENT = "percent"
    SECONDS = "seconds"


class Axis(Struct, frozen=True):
    """An axis with 0 on it: from 0 up, unless there are negative values.

    Attributes:
        ticks: from the lower to the upper end, at even steps.
    """

    ticks: tuple[int | float, ...]

    @property
    def top(self) -> int | float:
        """The value at the upper end."""
        return self.ticks[-1]

    @property
    def bottom(self) -> int | float:
        """The value at the lower end, at most 0."""
        return self.ticks[0]

    def row(self, value: Figure, height: int = HEIGHT) -> int | None:
        """The row of the grid for a value; None without one. Values beyond the axis lie on its end."""
        if not is_number(value):
            return None
        bottom, top = Fraction(self.bottom), Fraction(self.top)
        return round(height * (top - min(max(Fraction(value), bottom), top)) / (top - bottom))


class Point(NamedTuple):
    """A point of the grid; ``y`` is None where there is no value."""

    x: int
    y: int | None


class Band(NamedTuple):
    """The part of the grid's width that belongs to one bucket."""

    x: int
    width: int

    @property
    def middle(self) -> int:
        """Where the bucket's point is."""
        return self.x + self.width // 2


class Lines(NamedTuple):
    """Path strings of one series; empty where there is nothing to draw."""

    finished: str
    unfinished: str
    """The segments that touch an unfinished bucket."""
    dots: str
    """The points between gaps."""


def axis(values: Sequence[Figure], scale: Scale) -> Axis:
    """The axis that covers all values in at most ``MOST_STEPS`` steps. Values that are no numbers are passed over."""
    numbers = [Fraction(value) for value in values if is_number(value)]
    highest, lowest = max([*numbers, Fraction(0)]), min([*numbers, Fraction(0)])
    step = next(step for step in _steps(scale) if ceil(highest / step) + ceil(-lowest / step) <= MOST_STEPS)
    below = ceil(-lowest / step)
    above = max(ceil(highest / step), 0 if below else 1)
    return Axis(tuple(_plain(step * number) for number in range(-below, above + 1)))


def is_number(value: Figure) -> TypeGuard[float]:
    """Whether there is a value, and a finite one."""
    return value is not None and isfinite(value)


def bands(buckets: int, width: int = WIDTH) -> list[Band]:
    """Divides the width among buckets, in order and without gaps.

    Args:
        buckets: if there are more of them than the grid has columns, some have no width.
    """
    edges = [round(width * number / buckets) for number in range(buckets + 1)] if buckets else []
    return [Band(left, right - left) for left, right in pairwise(edges)]


def points(values: Sequence[Figure], on: Axis, width: int = WIDTH, height: int = HEIGHT) -> list[Point]:
    """One point in the middle of each bucket's band."""
    middles = (band.middle for band in bands(len(values), width))
    return [Point(x, on.row(value, height)) for x, value in zip(middles, values, strict=True)]


def lines(drawn: Sequence[Point], unfinished: Sequence[bool] = ()) -> Lines:
    """The line through points, with gaps where there is no value.

    Args:
        unfinished: for each point whether its bucket still grows; empty when none does.
    """
    grows = unfinished or [False] * len(drawn)
    lonely = (run[0] for run in _runs(drawn) if len(run) == 1)
    return Lines(
        _line(drawn, [not (left or right) for left, right in pairwise(grows)]),
        _line(drawn, [left or right for left, right in pairwise(grows)]),
        "".join(f"M{x} {y}h0" for x, y in lonely),
    )


def area(drawn: Sequence[Point], zero: int | None = HEIGHT) -> str:
    """The path string of what lies between the line and 0; empty where no two neighbours have values.

    Args:
        zero: the row of 0.
    """
    return "".join(
        "".join((f"M{run[0].x} {zero}", *(f"L{x} {y}" for x, y in run), f"L{run[-1].x} {zero}Z"))
        for run in _runs(drawn)
        if len(run) > 1
    )


def quantile_class(values: Sequence[Figure]) -> Callable[[Figure], int]:
    """A function from a value to its class of colour: each class from 1 to ``CLASSES`` has about as many values.

    Equal values have the same class, and higher ones never a lower class. Zero and no value have class 0.
    """
    ranked = sorted(value for value in values if value and is_number(value))
    bounds = [ranked[ceil(len(ranked) * part / CLASSES) - 1] for part in range(1, CLASSES)] if ranked else []

    def class_of(value: Figure) -> int:
        return 1 + bisect_left(bounds, value) if value and is_number(value) else 0

    return class_of


def _steps(scale: Scale) -> Iterator[Fraction]:
    """All steps that look even, ascending."""
    if scale is Scale.SECONDS:
        seconds = (1, 2, 5, 10, 15, 30)
        yield from (Fraction(step * unit) for unit in (1, _MINUTE) for step in seconds)
        yield from (Fraction(hours * _HOUR) for hours in (1, 2, 3, 6, 12))
        yield from (step * _DAY for step in _decimal_steps(0))
    yield from _decimal_steps(-1 if scale is Scale.RATIO else 0)


def _decimal_steps(first_power: int) -> Iterator[Fraction]:
    """1, 2, 5, 10, 20, 25, 50 and so on; 25 only where it is whole, as 2.5 is no number of visitors."""
    for power in count(first_power):
        unit = Fraction(10) ** power
        yield from (unit * digits for digits in (1, 2, Fraction(5, 2), 5) if unit > 1 or digits != Fraction(5, 2))


def _plain(number: Fraction) -> int | float:
    return int(number) if number.denominator == 1 else float(number)


def _line(drawn: Sequence[Point], wanted: Sequence[bool]) -> str:
    """The segments between neighbours that are wanted."""
    joined = [
        here and left.y is not None and right.y is not None
        for here, (left, right) in zip(wanted, pairwise(drawn), strict=True)
    ]
    parts = []
    for (x, y), before, after in zip(drawn, [False, *joined], [*joined, False], strict=False):
        if before:
            parts.append(f"L{x} {y}")
        elif after:
            parts.append(f"M{x} {y}")
    return "".join(parts)


def _runs(drawn: Sequence[Point]) -> Iterator[list[Point]]:
    """Neighbours that have values."""
    run: list[Point] = []
    for point in [*drawn, Point(0, None)]:
        if point.y is not None:
            run.append(point)
        elif run:
            yield run
            run = []
