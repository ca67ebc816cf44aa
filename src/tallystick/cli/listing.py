"""Lists: a table on a terminal; elsewhere one thing a line, separated by tabs, for scripts."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

Cell = str | int | None


def print_rows(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print things, one a row. An empty cell is a dash."""
    shown = [[_text(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_table(titles, shown)
    else:
        for row in shown:
            print(*row, sep="\t")


def instant(milliseconds: int | None) -> str | None:
    """A time in UTC, to the second."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(cell: Cell) -> str:
    return "-" if cell is None or cell == "" else str(cell)


def _print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415  # scripts need not wait for it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*titles)
    for row in rows:
        # As text: names may hold what rich would take for markup.
        table.add_row(*map(Text, row))
    Console().print(table)
