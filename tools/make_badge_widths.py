r"""Measure how wide characters are on badges, in the fonts with which PNGs are written.

python tools/make_badge_widths.py

The fonts are DejaVu Sans, which is as wide as Verdana, without the characters that are not measured:

pyftsubset DejaVuSans.ttf --no-hinting --layout-features= --output-file=fonts/regular.ttf \
  --unicodes=U+20-7E,U+A0-17F,U+370-45F,U+2010-2027,U+202F,U+2030-203A,U+20AC,U+2116,U+2122,U+2190-2193,U+2212,\
U+221E,U+2605,U+2606,U+2665,U+FFFD

and the same of DejaVuSans-Bold.ttf as bold.ttf.
"""

import json
from collections import defaultdict
from pathlib import Path

from PIL import ImageFont

ROOT = Path(__file__).resolve().parent.parent
BADGES = ROOT / "src" / "tallystick" / "surfaces" / "counters" / "badges"
WEIGHTS = ("regular", "bold")
MEASURED = (
    *(*range(0x20, 0x7F), *range(0xA0, 0x180), *range(0x370, 0x460), *range(0x2010, 0x2028), *range(0x2030, 0x203B)),
    *(0x202F, 0x20AC, 0x2116, 0x2122, *range(0x2190, 0x2194), 0x2212, 0x221E, 0x2605, 0x2606, 0x2665, 0xFFFD),
)
"""Basic Latin, Latin with marks, Greek, Cyrillic, and signs that stand beside numbers."""
EM = 1_000


def main() -> None:
    """Write the characters of each width, in thousandths of the size of the font, by weight."""
    written = {weight: _by_width(BADGES / "fonts" / f"{weight}.ttf") for weight in WEIGHTS}
    path = BADGES / "widths.json"
    path.write_text(f"{json.dumps(written, ensure_ascii=False, indent=0)}\n", "utf-8")
    print(f"{path.relative_to(ROOT)}: {sum(map(len, written['regular'].values()))} characters")


def _by_width(path: Path) -> dict[str, str]:
    font = ImageFont.truetype(path, EM)
    missing = font.getmask("\ufffe").getbbox(), font.getlength("\ufffe")
    by_width: defaultdict[int, str] = defaultdict(str)
    for character in map(chr, MEASURED):
        is_shown = character.isprintable() or character.isspace()
        if is_shown and (font.getmask(character).getbbox(), font.getlength(character)) != missing:
            by_width[round(font.getlength(character))] += character
    return {str(width): by_width[width] for width in sorted(by_width)}


if __name__ == "__main__":
    main()
