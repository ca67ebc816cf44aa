"""Prints tables of texts and numbers, alike on a terminal and into a file."""

import shutil
import sys
from collections.abc import Collection, Sequence

from tallystick.cli.support.listing import print_blocks

GAP = "  "


def print_aligned(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> None:
    """Print a table with a line below its titles.

    On a terminal that is narrower than the table, each cell has a line: nothing is cut.

    Args:
        right: columns that are aligned at the right.
    """
    from rich.cells import cell_len  # noqa: PLC0415  # commands that print no table need not wait for it

    widths = [max(map(cell_len, column)) for column in zip(titles, *rows, strict=True)]
    if sys.stdout.isatty() and sum(widths) + len(GAP) * (len(widths) - 1) > shutil.get_terminal_size().columns:
        print_blocks(titles, rows)
        return
    for cells in (titles, ["─" * width for width in widths], *rows):
        padding = [" " * (width - cell_len(cell)) for width, cell in zip(widths, cells, strict=True)]
        line = [
            pad + cell if n in right else cell + pad for n, (cell, pad) in enumerate(zip(cells, padding, strict=True))
        ]
        print(GAP.join(line).rstrip())
