"""Measure how wide characters are on badges: in DejaVu Sans, which is as wide as Verdana where that is missing.

python tools/make_badge_widths.py /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

from PIL import ImageFont

ROOT = Path(__file__).resolve().parent.parent
WIDTHS = ROOT / "src" / "tallystick" / "surfaces" / "dashboard" / "badges" / "widths.json"
MEASURED = (range(0x20, 0x7F), range(0xA0, 0x180), range(0x370, 0x460))
"""Basic Latin, Latin with marks, Greek and Cyrillic."""
EM = 1_000


def main() -> None:
    """Write the characters of each width, in thousandths of the size of the font."""
    font = ImageFont.truetype(sys.argv[1], EM)
    by_width: defaultdict[int, str] = defaultdict(str)
    for span in MEASURED:
        for code in span:
            if chr(code).isprintable():
                by_width[round(font.getlength(chr(code)))] += chr(code)
    written = {str(width): by_width[width] for width in sorted(by_width)}
    WIDTHS.write_text(f"{json.dumps(written, ensure_ascii=False, indent=0)}\n", "utf-8")
    print(f"{WIDTHS.relative_to(ROOT)}: {sum(map(len, written.values()))} characters")


if __name__ == "__main__":
    main()
