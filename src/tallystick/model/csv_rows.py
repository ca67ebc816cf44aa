"""Rows of CSV: cells are quoted where they have to be, lines end with a line feed."""

import csv
from collections.abc import Callable, Iterable
from typing import Any, Protocol

_ROW_END = "\r\n"


class TakesText(Protocol):
    """What rows are written to."""

    def write(self, text: str, /) -> object:
        """Append a text."""


class _LineFeeds:
    """Replaces the end of each row.

    Up to Python 3.12, ``csv`` quotes a carriage return only if rows end with one; unquoted, it would end the row.
    """

    def __init__(self, out: TakesText) -> None:
        self._out = out

    def write(self, row: str) -> object:
        """Receive one whole row."""
        return self._out.write(f"{row.removesuffix(_ROW_END)}\n")


def csv_writer(out: TakesText, *, quote_all: bool = False) -> Callable[[Iterable[Any]], object]:
    """A function that writes a row.

    Args:
        out: standard output, or a text file that was opened with ``newline=""``.
        quote_all: whether to quote cells that need no quotation marks, too.
    """
    return csv.writer(
        _LineFeeds(out), lineterminator=_ROW_END, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    ).writerow
