"""What is drawn, before it is an SVG or a PNG: shapes in pixels, from the back to the front. Pure."""

from typing import TypeAlias

from msgspec import Struct

from tallystick.model.badge import BadgeLook
from tallystick.model.badge_colors import ink_on

Point: TypeAlias = tuple[float, float]


class Paint(Struct, frozen=True):
    """A colour for readers who prefer light pages, and one for those who prefer dark ones.

    Attributes:
        still: on light and dark pages alike, in pictures that cannot know their reader's; None for that of light ones.
    """

    light: str
    dark: str
    still: str | None = None

    @property
    def anywhere(self) -> str:
        """In a picture that cannot know what its reader prefers."""
        return self.still or self.light

    @property
    def ink(self) -> "Paint":
        """What can be read on it."""
        return Paint(ink_on(self.light), ink_on(self.dark))


class Area(Struct, frozen=True):
    """A rectangle, with round corners where there is a radius."""

    x: float
    y: float
    width: float
    height: float
    paint: Paint
    radius: float = 0


class Gloss(Struct, frozen=True):
    """Light and shadow from the top of a rectangle to its bottom, over what is behind.

    Attributes:
        stops: how far down, from 0 to 1; whether it is white; how opaque, from 0 to 1.
    """

    x: float
    y: float
    width: float
    height: float
    stops: tuple[tuple[float, bool, float], ...]


class TextLine(Struct, frozen=True):
    """A line of text, as wide as it was measured whatever the font.

    Attributes:
        y: of the line on which letters stand.
    """

    text: str
    x: float
    y: float
    width: float
    size: float
    paint: Paint
    bold: bool = False


class Outlines(Struct, frozen=True):
    """Filled polygons."""

    paths: tuple[tuple[Point, ...], ...]
    paint: Paint


class Strokes(Struct, frozen=True):
    """Lines with round ends and corners; one of a single point is a dot."""

    paths: tuple[tuple[Point, ...], ...]
    width: float
    paint: Paint


Shape: TypeAlias = Area | Gloss | TextLine | Outlines | Strokes


class Scene(Struct, frozen=True):
    """A picture.

    Attributes:
        name: what it says, for those who do not see it.
        radius: of the corners of the whole.
    """

    name: str
    width: int
    height: int
    shapes: tuple[Shape, ...]
    radius: float = 0


def painted(color: str | None, default: Paint, look: BadgeLook) -> Paint:
    """A colour that was asked for, else the default of the theme."""
    if color is not None:
        return Paint(color, color)
    if look.theme == "auto":
        return default
    only = default.dark if look.theme == "dark" else default.light
    return Paint(only, only)
