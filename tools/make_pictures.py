"""Makes the pictures of ``docs/pictures`` from those that the browser tests take: ``make pictures`` does both.

The tests look at the demo, whose visits are always the same, at a time that is always the same; so a picture changes
only when the page does, or the fonts of the machine.
"""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
TAKEN = ROOT / "build" / "screenshots"
KEPT = ROOT / "docs" / "pictures"
CHOSEN = {
    "statistics-1280-light": 1882,
    "statistics-1280-dark": 1882,
    "statistics-360-light": 1300,
    "statistics-filtered-1280-light": 880,
    "one-page-1280-light": 1506,
    "funnels-1280-light": 520,
    "left-out-1280-light": 818,
    "sites-1280-light": 600,
    "counter-1280-light": 900,
    "counter-360-dark": 900,
    "admin-1280-light": 1300,
    "privacy-1280-light": 1100,
    "paths-rules-1280-light": 900,
}
"""Pictures, and how many pixels of their height are kept."""
QUALITY = 75
LARGEST = 100_000
"""Bytes of one picture."""


def main() -> None:
    """Crop and compress what was chosen."""
    KEPT.mkdir(exist_ok=True)
    for name, height in CHOSEN.items():
        with Image.open(TAKEN / f"{name}.png") as taken:
            kept = taken.convert("RGB").crop((0, 0, taken.width, min(height, taken.height)))
        file = KEPT / f"{name}.webp"
        kept.save(file, quality=QUALITY, method=6)
        size = file.stat().st_size
        assert size <= LARGEST, f"{file} has {size} bytes"
        print(f"{file.relative_to(ROOT)}: {size:,} bytes")


if __name__ == "__main__":
    main()
