"""The visitor counter as a page for a frame, as SVG and as PNG. Element ids and sizes are the contract's (2.5)."""

from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from html import escape
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

WIDTH = 200
HEIGHT, HEIGHT_WITHOUT_BRANDING = 80, 60
BY = "stats by Tallystick"
INK, PAPER, LINE, PALE = "#222222", "#ffffff", "#cccccc", "#555555"
FOR_AT, VIEWS_AT, BY_AT = 16, 40, 67
"""The vertical middle of each line of text, in pixels from the top."""

FITS_LARGE = 11
"""Characters of a number that fit in the large font."""

_HTML_STYLE = f"""
html, body {{ margin: 0; height: 100%; }}
body {{ font: 14px/1.2 sans-serif; color: {INK}; background: {PAPER}; text-align: center; }}
#gcvc-border {{ box-sizing: border-box; height: 100%; border: 1px solid {LINE}; border-radius: 4px; overflow: hidden; }}
#gcvc {{ padding-top: 7px; }}
#gcvc-views {{ font-size: 24px; font-weight: bold; line-height: 1.3; }}
#gcvc-by {{ font-size: 12px; color: {PALE}; }}
"""


class Shown(NamedTuple):
    """The content of a counter.

    Attributes:
        label: what was viewed, with a colon.
        number: with separators.
    """

    label: str
    number: str
    branding: bool

    @property
    def height(self) -> int:
        """In pixels."""
        return HEIGHT if self.branding else HEIGHT_WITHOUT_BRANDING


def policy(style: str) -> str:
    """A Content-Security-Policy under which a counter runs nothing, loads nothing and may stand in any page."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors *"


def html_style(added: str) -> str:
    """The whole style sheet of the page."""
    return _HTML_STYLE + added


def html(shown: Shown, style: str) -> str:
    """A page for a frame; ``style`` must be safe inside of a style element."""
    by = f'<div id="gcvc-by">{BY}</div>' if shown.branding else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(shown.label)}</title>'
        f"<style>{style}</style></head>\n"
        f'<body><div id="gcvc-border"><div id="gcvc"><div id="gcvc-for">{escape(shown.label)}</div>'
        f'<div id="gcvc-views">{escape(shown.number)}</div>{by}</div></div></body></html>\n'
    )


def svg(shown: Shown, style: str) -> str:
    """An image; works as a document of its own and inside of an ``<img>``."""
    label, number = escape(shown.label), escape(shown.number)
    size = 26 if len(shown.number) <= FITS_LARGE else 17
    by = (
        f'  <text id="gcvc-by" x="100" y="{BY_AT}" font-size="12" fill="{PALE}">{BY}</text>\n' if shown.branding else ""
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{shown.height}" '
        f'viewBox="0 0 {WIDTH} {shown.height}" role="img" aria-label="{label} {number}">\n'
        f"<style>{escape(style, quote=False)}</style>\n"
        f'<rect id="gcvc-border" x=".5" y=".5" width="{WIDTH - 1}" height="{shown.height - 1}" rx="4" '
        f'fill="{PAPER}" stroke="{LINE}"/>\n'
        f'<g id="gcvc" font-family="sans-serif" text-anchor="middle" dominant-baseline="central" fill="{INK}">\n'
        f'  <text id="gcvc-for" x="100" y="{FOR_AT}" font-size="14">{label}</text>\n'
        f'  <text id="gcvc-views" x="100" y="{VIEWS_AT}" font-size="{size}" font-weight="bold">{number}</text>\n'
        f"{by}</g>\n</svg>\n"
    )


@lru_cache(maxsize=500)
def png(shown: Shown) -> bytes:
    """An image; takes a few milliseconds, so call it on a thread."""
    image = Image.new("RGB", (WIDTH, shown.height), PAPER)
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, WIDTH - 1, shown.height - 1), radius=4, outline=LINE)
    # The font has no narrow or fixed spaces.
    number = "".join(" " if sign.isspace() else sign for sign in shown.number)
    _line(draw, FOR_AT, shown.label, 14, INK)
    _line(draw, VIEWS_AT, number, 28 if len(number) <= FITS_LARGE else 18, INK)
    if shown.branding:
        _line(draw, BY_AT, BY, 12, PALE)
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _line(draw: ImageDraw.ImageDraw, middle: int, text: str, size: int, color: str) -> None:
    draw.text((WIDTH / 2, middle), text, fill=color, font=ImageFont.load_default(size), anchor="mm")
