"""CSV that is safe in a spreadsheet: an apostrophe precedes cells that it would take for formulas.

Paths, titles and referrers are untrusted. The contract's own form leaves them unchanged, so that programs read the
counted values; a spreadsheet would evaluate one that begins with ``=``.
"""

import csv
import gzip
import io
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from tallystick.model.csv_rows import csv_writer

COMPRESSION = 6
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters of formulas; the last four are full-width forms of the first."""


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
        write = csv_writer(text, quote_all=True)
        for cells in csv.reader(rows):
            write(map(safe, cells))


def make_safe(file: Path) -> None:
    """Replace the content of a compressed CSV by its safe form."""
    with tempfile.TemporaryFile(dir=file.parent) as safe_copy:
        write_safe(file, safe_copy)
        safe_copy.seek(0)
        with file.open("wb") as target:
            shutil.copyfileobj(safe_copy, target)
