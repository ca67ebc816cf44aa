"""Splits a row of CSV into its cells."""

import csv
import io
from collections.abc import Sequence

_RETURN = "\ufdd0"
"""Replaces carriage returns while a row is parsed; a noncharacter that no text has."""
_OPEN_QUOTE = "a quotation mark is not closed"


def cells_of(text: str) -> list[str]:
    """The cells of one row; none for an empty one.

    Some programs do not quote carriage returns inside a cell, which the parser would take for the end of the row.

    Raises:
        ValueError: it is no CSV; the message says why.
    """
    row = text.rstrip("\r\n")
    try:
        if "\r" not in row:
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
