"""CSV that a spreadsheet may open: cells that it would take for formulas begin with an apostrophe.

Paths, titles and referrers come from outside. The contract's own form leaves them as they are, so that programs read
back what was counted; a spreadsheet would run one that begins with ``=``.
"""

import csv
import gzip
import io
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

COMPRESSION = 6
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What formulas begin with; the last four are full-width forms of the first."""


def safe(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(FORMULAS) or cell.lstrip().startswith(FORMULAS) else cell


def write_safe(source: Path, target: BinaryIO) -> None:
    """Write the safe form of a compressed CSV, compressed. Every cell is quoted, whatever separates cells elsewhere."""
    with (
        gzip.open(source, "rt", encoding="utf-8", newline="") as rows,
        gzip.GzipFile("", "wb", COMPRESSION, target, 0) as compressed,
        io.TextIOWrapper(compressed, "utf-8", newline="") as text,
    ):
        write = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow
        for cells in csv.reader(rows):
            write(map(safe, cells))


def make_safe(file: Path) -> None:
    """Replace the content of a compressed CSV by its safe form."""
    with tempfile.TemporaryFile(dir=file.parent) as made:
        write_safe(file, made)
        made.seek(0)
        with file.open("wb") as target:
            shutil.copyfileobj(made, target)
