"""Badges with a label and a message: how each style arranges them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from tallystick.model.badge import BadgeLook
from tallystick.surfaces.counters.badges.faces import digits_scene
from tallystick.surfaces.counters.badges.measuring import text_width
from tallystick.surfaces.counters.badges.scene import Area, Gloss, Paint, Scene, Strokes, TextLine, painted

LABEL = Paint("#555555", "#3b342a")
MESSAGE = Paint("#7c3f0c", "#f0b066")
REFUSED = "#9f9f9f"
"""Behind what is said in the place of a number."""

LINE_WIDTH, LINE_MARGIN, LINE_STROKE = 48, 4, 1.2
"""Of a sparkline, in pixels: from its first to its last point, above and below it, and of its stroke."""

_GLOSS = ((0.0, True, 0.4), (0.12, True, 0.16), (0.88, False, 0.12), (1.0, False, 0.3))

Worded: TypeAlias = Literal["flat", "flat-square", "plastic", "for-the-badge"]


class Measures(Struct, frozen=True):
    """The sizes of a style, in pixels.

    Attributes:
        baseline: from the top.
        padding: left and right of each text.
        loud: whether texts are in capitals, apart from each other, and the message is bold.
    """

    height: int
    radius: float
    size: float
    baseline: float
    padding: int
    spacing: float = 0
    loud: bool = False
    glossy: bool = False


MEASURES: Mapping[Worded, Measures] = {
    "flat": Measures(20, 3, 11, 14, 6),
    "flat-square": Measures(20, 0, 11, 14, 6),
    "plastic": Measures(18, 4, 11, 13, 6, glossy=True),
    "for-the-badge": Measures(28, 3, 10, 17.7, 12, spacing=1.25, loud=True),
}


def scene_of(label: str, message: str, look: BadgeLook, line: Sequence[int] = ()) -> Scene:
    """A badge.

    Args:
        label: empty for none. The style ``digits`` does not show it.
        message: of the style ``digits``, a whole number.
        line: values of a sparkline behind the message; none for no line. The style ``digits`` does not show it.
    """
    name = f"{label}: {message}" if label else message
    if look.style == "digits":
        return digits_scene(name, message, look)
    measures = MEASURES[look.style]
    message_side = _Side(message, painted(look.color, MESSAGE, look), bold=measures.loud)
    sides = [_Side(label, painted(look.label_color, LABEL, look)), message_side] if label else [message_side]
    areas: list[Area] = []
    words: list[TextLine] = []
    x = 0
    for side in sides:
        text = side.text.upper() if measures.loud else side.text
        inner = round(text_width(text, measures.size, bold=side.bold, spacing=measures.spacing))
        areas.append(Area(x, 0, inner + 2 * measures.padding, measures.height, side.paint))
        place = (x + measures.padding, measures.baseline, inner, measures.size)
        words.append(TextLine(text, *place, side.paint.ink, side.bold))
        x += inner + 2 * measures.padding
    strokes: list[Strokes] = []
    if line:
        areas.append(Area(x, 0, LINE_WIDTH + measures.padding, measures.height, message_side.paint))
        strokes.append(_sparkline(line, x, measures.height, message_side.paint.ink))
        x += LINE_WIDTH + measures.padding
    gloss = [Gloss(0, 0, x, measures.height, _GLOSS)] if measures.glossy else []
    return Scene(name, x, measures.height, (*areas, *gloss, *strokes, *words), measures.radius)


def _sparkline(values: Sequence[int], left: float, height: int, ink: Paint) -> Strokes:
    """A line through the values, from the least of them or 0 at the bottom to the greatest or 0 at the top."""
    least, most = min(0, *values), max(0, *values)
    bottom, tall = height - LINE_MARGIN, height - 2 * LINE_MARGIN
    step = LINE_WIDTH / max(len(values) - 1, 1)
    points = tuple(
        (left + place * step, bottom - tall * (value - least) / ((most - least) or 1))
        for place, value in enumerate(values)
    )
    return Strokes((points,), LINE_STROKE, ink)


class _Side(Struct, frozen=True):
    """A text and the colour behind it."""

    text: str
    paint: Paint
    bold: bool = False
