"""Counters of digits: each face draws them from shapes of our own. Pure."""

from collections.abc import Callable, Mapping, Sequence
from math import cos, pi, sin

from msgspec import Struct

from tallystick.model.badge import BadgeLook, Face
from tallystick.model.badge_colors import mixed
from tallystick.surfaces.counters.badges.scene import (
    Area,
    Gloss,
    Outlines,
    Paint,
    Point,
    Scene,
    Shape,
    Strokes,
    painted,
)

MINUS = "-"
_STEP = pi / 14

_ALL_SEGMENTS = "abcdefg"
_CHARACTERS = "0123456789-"
_LIT = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", _ALL_SEGMENTS, "abcdfg", "g")
_SEGMENTS = dict(zip(_CHARACTERS, _LIT, strict=True))
"""Lit segments, by the names they have everywhere: a at the top, then clockwise, g in the middle."""

_DOTS = {
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
    MINUS: (0, 0, 0, 31, 0, 0, 0),
}
"""Rows of five dots, from the top; the highest bit is the leftmost."""


class FaceMeasures(Struct, frozen=True):
    """A face in pixels.

    Attributes:
        cell: width and height of a digit's place.
        gap: between places.
        margin: around all of them.
        ink, panel: what digits are drawn with, and what is behind them; no panel for a face without one.
    """

    cell: tuple[int, int]
    gap: int
    margin: int
    radius: float
    ink: Paint
    panel: Paint | None


def _alike(color: str) -> Paint:
    return Paint(color, color)


FACES_MEASURED: Mapping[Face, FaceMeasures] = {
    "lcd": FaceMeasures((13, 22), 4, 5, 4, _alike("#20271a"), _alike("#c6cfae")),
    "led": FaceMeasures((13, 22), 4, 5, 4, _alike("#ff4b3e"), _alike("#1a0b0b")),
    "dots": FaceMeasures((15, 21), 4, 5, 4, _alike("#ffb52e"), _alike("#17130a")),
    "odometer": FaceMeasures((19, 28), 1, 2, 3, _alike("#f7f2e8"), _alike("#26221d")),
    "flip": FaceMeasures((22, 32), 3, 1, 0, _alike("#f7f2e8"), _alike("#2c2925")),
    "mono": FaceMeasures((10, 16), 5, 2, 0, Paint("#221d16", "#efe9de", "#7a7265"), None),
}


def digits_scene(name: str, number: str, look: BadgeLook) -> Scene:
    """A whole number in a face.

    Args:
        name: what the picture says, for those who do not see it.
    """
    digits = number.removeprefix(MINUS).rjust(look.pad, "0")
    characters = f"{MINUS}{digits}" if number.startswith(MINUS) else digits
    measures = FACES_MEASURED[look.face]
    ink = painted(look.color, measures.ink, look)
    panel = None if measures.panel is None else painted(look.label_color, measures.panel, look)
    (width, height), margin = measures.cell, measures.margin
    places = [margin + place * (width + measures.gap) for place in range(len(characters))]
    total = places[-1] + width + margin
    shapes: list[Shape] = []
    if panel is not None and look.face != "flip":
        shapes.append(Area(0, 0, total, height + 2 * margin, _frame(panel) if look.face == "odometer" else panel))
    draw = _DRAWN[look.face]
    for x, character in zip(places, characters, strict=True):
        shapes += draw(character, x, margin, ink, panel)
    return Scene(name, total, height + 2 * margin, tuple(shapes), measures.radius)


def _segments(character: str, x: float, y: float, ink: Paint, panel: Paint | None) -> Sequence[Shape]:
    lit = _SEGMENTS[character]
    shapes: list[Shape] = []
    dark = tuple(_segment(name, x, y) for name in _ALL_SEGMENTS if name not in lit)
    if dark and panel is not None:
        shapes.append(Outlines(dark, _unlit(ink, panel)))
    return [*shapes, Outlines(tuple(_segment(name, x, y) for name in lit), ink)]


def _segment(name: str, x: float, y: float) -> tuple[Point, ...]:
    """A bar with pointed ends, in a place of 13 by 22 pixels."""
    half, left, middle, right, top, bottom = 1.5, x + 1.5, y + 11, x + 11.5, y + 1.5, y + 20.5
    across = {"a": top, "g": middle, "d": bottom}
    if name in across:
        at, begin, end = across[name], left + 0.4, right - 0.4
        return (
            *((begin, at), (begin + half, at - half), (end - half, at - half)),
            *((end, at), (end - half, at + half), (begin + half, at + half)),
        )
    at = right if name in "bc" else left
    begin, end = (top + 0.4, middle - 0.4) if name in "bf" else (middle + 0.4, bottom - 0.4)
    return (
        *((at, begin), (at + half, begin + half), (at + half, end - half)),
        *((at, end), (at - half, end - half), (at - half, begin + half)),
    )


def _matrix(character: str, x: float, y: float, ink: Paint, panel: Paint | None) -> Sequence[Shape]:
    rows = _DOTS[character]
    lit: list[tuple[Point, ...]] = []
    dark: list[tuple[Point, ...]] = []
    for row, bits in enumerate(rows):
        for column in range(5):
            dot = ((x + 1.5 + 3 * column, y + 1.5 + 3 * row),)
            (lit if bits >> (4 - column) & 1 else dark).append(dot)
    assert panel is not None
    return Strokes(tuple(dark), 2.3, _unlit(ink, panel)), Strokes(tuple(lit), 2.5, ink)


def _wheel(character: str, x: float, y: float, ink: Paint, panel: Paint | None) -> Sequence[Shape]:
    assert panel is not None
    round_ = ((0.0, False, 0.6), (0.25, False, 0.0), (0.5, True, 0.14), (0.75, False, 0.0), (1.0, False, 0.6))
    return Area(x, y, 19, 28, panel, 1.5), _strokes(character, x + 4.5, y + 6, 1, 2.4, ink), Gloss(x, y, 19, 28, round_)


def _card(character: str, x: float, y: float, ink: Paint, panel: Paint | None) -> Sequence[Shape]:
    assert panel is not None
    lower = ((0.0, True, 0.0), (0.499, True, 0.0), (0.5, True, 0.1), (1.0, True, 0.02))
    return (
        Area(x, y, 22, 32, panel, 4),
        Gloss(x, y, 22, 32, lower),
        _strokes(character, x + 5, y + 6.4, 1.2, 2.8, ink),
        Area(x, y + 15.5, 22, 1, _frame(panel)),
    )


def _plain(character: str, x: float, y: float, ink: Paint, panel: Paint | None) -> Sequence[Shape]:  # noqa: ARG001
    return (_strokes(character, x, y, 1, 2, ink),)


_DRAWN: Mapping[Face, Callable[[str, float, float, Paint, Paint | None], Sequence[Shape]]] = {
    "lcd": _segments,
    "led": _segments,
    "dots": _matrix,
    "odometer": _wheel,
    "flip": _card,
    "mono": _plain,
}


def _strokes(character: str, x: float, y: float, size: float, width: float, ink: Paint) -> Strokes:  # noqa: PLR0913, PLR0917
    """A character of lines, in a place of 10 by 16 pixels times the size."""
    paths = tuple(tuple((x + left * size, y + top * size) for left, top in path) for path in _STROKES[character])
    return Strokes(paths, width, ink)


def _arc(  # noqa: PLR0913, PLR0917  # an ellipse and a part of it
    x: float, y: float, across: float, down: float, begin: float, end: float
) -> list[Point]:
    """Points on an ellipse. Angles are in halves of a turn from the right, clockwise."""
    steps = max(round(abs(end - begin) * pi / _STEP), 1)
    angles = [(begin + (end - begin) * step / steps) * pi for step in range(steps + 1)]
    return [(x + across * cos(angle), y + down * sin(angle)) for angle in angles]


_SIX = (*_arc(8.4, 10.8, 8.4, 10.6, 1.5, 1), *_arc(5, 10.8, 5, 5.2, 1, -1))
_STROKES: Mapping[str, tuple[tuple[Point, ...], ...]] = {
    "0": ((*_arc(5, 5, 5, 5, 1, 2), *_arc(5, 11, 5, 5, 0, 1), (0, 5)),),
    "1": (((1.2, 3.6), (5.6, 0), (5.6, 16)),),
    "2": ((*_arc(5, 4.9, 4.9, 4.9, 1.05, 2.2), (0.2, 16), (10, 16)),),
    "3": ((*_arc(4.8, 4.2, 4.4, 4.2, 1.1, 2.5), *_arc(4.8, 12.2, 5, 3.8, -0.5, 0.9)),),
    "4": (((7.6, 16), (7.6, 0), (0, 11.2), (10, 11.2)),),
    "5": (((9, 0), (1.5, 0), (0.9, 7.4), *_arc(4.8, 10.8, 5.2, 5.2, -0.75, 0.85)),),
    "6": (_SIX,),
    "7": (((0, 0), (10, 0), (3.8, 16)),),
    "8": (tuple(_arc(5, 4, 4.3, 4, 0.5, 2.5)), tuple(_arc(5, 12, 5, 4, -0.5, 1.5))),
    "9": (tuple((10 - x, 16 - y) for x, y in _SIX),),
    MINUS: (((1, 8), (9, 8)),),
}
"""Lines in a place of 10 by 16 pixels."""


def _unlit(ink: Paint, panel: Paint) -> Paint:
    return Paint(mixed(panel.light, ink.light, 0.1), mixed(panel.dark, ink.dark, 0.1))


def _frame(panel: Paint) -> Paint:
    return Paint(mixed(panel.light, "#000000", 0.6), mixed(panel.dark, "#000000", 0.6))
