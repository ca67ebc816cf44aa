"""Splits a row of CSV into its cells."""

import csv
import io
from collections.abc import Sequence
from threading import local

_RETURN = "\ufdd0"
"""Replaces carriage returns while a row is parsed; a noncharacter that no text has."""
_OPEN_QUOTE = "a quotation mark is not closed"


class _Parser(local):
    """Parses rows one by one; of each thread, because it takes longer to make a parser than to parse a row."""

    def __init__(self) -> None:
        self._rows: list[str] = []
        self._reader = csv.reader(self, strict=True)

    def __iter__(self) -> "_Parser":
        return self

    def __next__(self) -> str:
        if not self._rows:
            raise StopIteration
        return self._rows.pop()

    def cells_of(self, row: str) -> list[str]:
        """The cells of a row without a line end outside of quotation marks.

        Raises:
            csv.Error
        """
        self._rows = [row]
        return next(self._reader, [])


_parser = _Parser()


def cells_of(text: str) -> list[str]:
    """The cells of one row; none for an empty one.

    Some programs do not quote carriage returns inside a cell, which the parser would take for the end of the row.

    Raises:
        ValueError: it is no CSV; the message says why.
    """
    row = text.rstrip("\r\n")
    try:
        if "\r" not in row:
            if "\n" not in row:
                return _parser.cells_of(row)
            return next(csv.reader(io.StringIO(text, newline=""), strict=True), [])
        cells = next(csv.reader(io.StringIO(row.replace("\r", _RETURN), newline=""), strict=True), [])
    except csv.Error as error:
        open_quote = text.count('"') % 2
        msg = f"it is not valid CSV: {_OPEN_QUOTE if open_quote else error}"
        raise ValueError(msg) from error
    return [cell.replace(_RETURN, "\r") for cell in cells]


def columns_of(header: Sequence[str]) -> dict[str, int]:
    """The indexes of columns by name; of a repeated name the first one counts."""
    columns: dict[str, int] = {}
    for index, column in enumerate(header):
        columns.setdefault(column, index)
    return columns
