"""Prints lists: as a table on a terminal, else as lines of cells separated by tabs, for scripts."""

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

Cell = str | int | None

WIDEST = 10_000
"""Columns of the imaginary terminal on which a table's width is measured."""
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Control characters, ends of lines and paragraphs, marks that turn the direction of text, and halves of pairs."""


def print_rows(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print rows. An empty cell is a dash."""
    texts = [[_text(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_table(titles, texts)
    else:
        for row in texts:
            print(*row, sep="\t")


def instant(milliseconds: int | None) -> str | None:
    """A time in UTC, to the second."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def printable(text: str) -> str:
    """A text without the characters that a terminal obeys or that would begin another line or cell.

    Names of paths, events and referrers come from strangers. Spaces of any width and joiners, as in emoji, stay.
    """
    return _OBEYED.sub("\ufffd", text)


def _text(cell: Cell) -> str:
    return "-" if cell is None or cell == "" else printable(str(cell))


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415  # scripts need not wait for it
    from rich.measure import Measurement  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    table = Table(*titles)
    for row in rows:
        # As Text: names may contain rich's markup.
        table.add_row(*map(Text, row))
    if Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum <= console.width:
        console.print(table)
    else:
        print_blocks(titles, rows)


def print_blocks(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print one cell a line, for a terminal narrower than the table: nothing is cut, and all can be copied."""
    wide = max(map(len, titles))
    for number, row in enumerate(rows):
        if number:
            print()
        for title, cell in zip(titles, row, strict=True):
            print(f"{title:<{wide}}  {cell}")
