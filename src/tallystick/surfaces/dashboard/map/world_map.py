"""The world map: outlines of the countries that have a figure, in five colours."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

COLOURS = 5

NOT_DRAWN = frozenset({"AC", "AQ", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"})
"""Codes with a name that the map has no place for: Antarctica, unions, and parts of countries."""


class Shape(msgspec.Struct, frozen=True):
    """One country on the map.

    Attributes:
        path: the data of its SVG path; a dot is a line without length.
        colour: from 1, the lightest, to ``COLOURS``.
        title: what a person reads about it.
        address: where a click leads.
    """

    code: str
    path: str
    is_dot: bool
    colour: int
    title: str
    address: str


class Shade(msgspec.Struct, frozen=True):
    """One colour of the key, and the least and the largest figure that have it."""

    colour: int
    low: int
    high: int


class WorldMap(msgspec.Struct, frozen=True):
    """What the template draws: dots after outlines, which would cover them."""

    width: int
    height: int
    shapes: tuple[Shape, ...]
    key: tuple[Shade, ...]


class _World(msgspec.Struct, frozen=True):
    """The file that ``tools/make_map.py`` writes."""

    width: int
    height: int
    outlines: dict[str, str]
    dots: dict[str, tuple[int, int]]


_WORLD = msgspec.json.decode(Path(__file__).with_name("countries.json").read_bytes(), type=_World)


def world_map(figures: Mapping[str, int], title: Callable[[str, int], str], address: Callable[[str], str]) -> WorldMap:
    """The map of some countries.

    Args:
        figures: by ISO 3166-1 alpha-2 code. Codes without a place on the map and figures of 0 are not drawn.
        title: says a country's figure in words, given its code and the figure.
        address: where a click on a country leads, given its code.
    """
    drawn = {code: figure for code, figure in figures.items() if figure > 0 and is_drawn(code)}
    colours = _colours(drawn.values())
    shapes = [
        Shape(
            code=code,
            path=_WORLD.outlines.get(code) or _dot(*_WORLD.dots[code]),
            is_dot=code in _WORLD.dots,
            colour=colours[figure],
            title=title(code, figure),
            address=address(code),
        )
        for code, figure in drawn.items()
    ]
    shapes.sort(key=lambda shape: shape.is_dot)
    return WorldMap(width=_WORLD.width, height=_WORLD.height, shapes=tuple(shapes), key=_key(colours))


def is_drawn(code: str) -> bool:
    """Whether the map has a place for a code."""
    return code in _WORLD.outlines or code in _WORLD.dots


def _dot(x: int, y: int) -> str:
    return f"m{x} {y}h0"


def _colours(figures: Iterable[int]) -> dict[int, int]:
    """The colour of each figure: the fifth of the countries that it is in. Equal figures have the same colour."""
    ordered = sorted(figures)
    return {
        figure: COLOURS - COLOURS * (len(ordered) - bisect_right(ordered, figure)) // len(ordered) for figure in ordered
    }


def _key(colours: Mapping[int, int]) -> tuple[Shade, ...]:
    figures: dict[int, list[int]] = {}
    for figure, colour in colours.items():
        figures.setdefault(colour, []).append(figure)
    return tuple(Shade(colour, min(each), max(each)) for colour, each in sorted(figures.items()))
