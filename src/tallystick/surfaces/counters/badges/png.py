"""A scene as a PNG image. Takes milliseconds: not on the event loop.

It is drawn several times as large and then reduced, which smooths all edges alike.
"""

import unicodedata
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tallystick.surfaces.counters.badges.measuring import is_measured
from tallystick.surfaces.counters.badges.scene import Area, Gloss, Outlines, Point, Scene, Shape, Strokes, TextLine

FINER = 4
"""Pixels that are drawn for each of the image, across and down."""

FORMATTING = "Cf"
"""The category of characters that are not seen, such as marks of direction."""


def writable(text: str) -> bool:
    """Whether the fonts here have every character of a text: Latin, Greek and Cyrillic ones."""
    return is_measured(_seen(text))


def png_image(scene: Scene, scale: int) -> bytes:
    """The picture on light pages.

    Args:
        scale: pixels for each of the scene's.
    """
    fine = scale * FINER
    size = (scene.width * fine, scene.height * fine)
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    for shape in scene.shapes:
        _draw(image, shape, fine)
    if scene.radius:
        corners = Image.new("L", size, 0)
        box = (0, 0, size[0] - 1, size[1] - 1)
        ImageDraw.Draw(corners).rounded_rectangle(box, scene.radius * fine, fill=255)
        clear = Image.new("RGBA", size, (0, 0, 0, 0))
        image = Image.composite(image, clear, corners)
    file = BytesIO()
    image.reduce(FINER).save(file, "PNG", optimize=True)
    return file.getvalue()


def _draw(image: Image.Image, shape: Shape, fine: int) -> None:
    draw = ImageDraw.Draw(image)
    match shape:
        case Area(x, y, width, height, paint, radius):
            draw.rounded_rectangle(_box(x, y, width, height, fine), radius * fine, fill=paint.anywhere)
        case Gloss():
            _shade(image, shape, fine)
        case Outlines(paths, paint):
            for path in paths:
                draw.polygon([(x * fine, y * fine) for x, y in path], fill=paint.anywhere)
        case Strokes(paths, width, paint):
            for path in paths:
                _line(draw, [(x * fine, y * fine) for x, y in path], width * fine, paint.anywhere)
        case TextLine():
            _write(draw, shape, fine)


def _box(x: float, y: float, width: float, height: float, fine: int) -> tuple[float, float, float, float]:
    # The last pixel belongs to a rectangle here.
    return x * fine, y * fine, (x + width) * fine - 1, (y + height) * fine - 1


def _line(draw: ImageDraw.ImageDraw, points: list[Point], width: float, color: str) -> None:
    if len(points) > 1:
        draw.line(points, fill=color, width=round(width))
    for x, y in points:  # round ends and corners
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=color)


def _shade(image: Image.Image, shade: Gloss, fine: int) -> None:
    """Lay white or black over the rows of a rectangle."""
    left, top, right, bottom = (round(edge) for edge in _box(shade.x, shade.y, shade.width, shade.height, fine))
    height = bottom - top + 1
    rows = Image.new("RGBA", (1, height))
    for row in range(height):
        rows.putpixel((0, row), _between(shade.stops, (row + 0.5) / height))
    image.alpha_composite(rows.resize((right - left + 1, height)), (left, top))


def _between(stops: tuple[tuple[float, bool, float], ...], at: float) -> tuple[int, int, int, int]:
    """The colour and opacity at a place between two stops."""
    end = next(number for number, stop in enumerate(stops) if stop[0] >= at)
    (from_, from_white, from_opacity), (to, to_white, to_opacity) = stops[max(end - 1, 0)], stops[end]
    part = 1.0 if to == from_ else (at - from_) / (to - from_)
    white = round(255 * ((1 - part) * from_white + part * to_white))
    return white, white, white, round(255 * ((1 - part) * from_opacity + part * to_opacity))


def _write(draw: ImageDraw.ImageDraw, words: TextLine, fine: int) -> None:
    """Write a text into the width that it was measured to have."""
    text, font = _seen(words.text), _font(words.size * fine, bold=words.bold)
    lengths = [font.getlength(character) for character in text]
    spacing = (words.width * fine - sum(lengths)) / max(len(text) - 1, 1)
    x = words.x * fine
    for character, length in zip(text, lengths, strict=True):
        draw.text((x, words.y * fine), character, fill=words.paint.anywhere, font=font, anchor="ls")
        x += length + spacing


@lru_cache(maxsize=16)
def _font(size: float, *, bold: bool) -> ImageFont.FreeTypeFont:
    name = "bold.ttf" if bold else "regular.ttf"
    return ImageFont.truetype(Path(__file__).parent / "fonts" / name, size, layout_engine=ImageFont.Layout.BASIC)


def _seen(text: str) -> str:
    return "".join(character for character in text if unicodedata.category(character) != FORMATTING)
