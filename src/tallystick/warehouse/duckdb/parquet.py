"""Reads Parquet files of ``exports.write_parquet``, with a separate database in memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from tallystick.errors import InputRefused
from tallystick.warehouse.types import ParquetHit

MEMORY_MB = 256
ROWS_AT_ONCE = 5_000
_TYPED = {
    "event": "coalesce(event::BOOLEAN, false)",
    "first": "first::BOOLEAN",
    "session": "coalesce(session::UBIGINT, 0)",
    "width": "coalesce(width::INTEGER, 0)",
    "created": "epoch(created)::BIGINT",
    "interactive": "coalesce(interactive::BOOLEAN, true)",
}
"""SQL of columns that are not text."""

_ADDED = tuple(ParquetHit._field_defaults)
"""Columns that files of older versions lack: the last ones."""


def _columns(names: Sequence[str]) -> str:
    """The SQL of a row's values, for a file with these columns."""
    listed = [name for name in ParquetHit._fields if name not in _ADDED or name in names]
    return ", ".join(_TYPED.get(name, f"coalesce({name}::VARCHAR, '')") for name in listed)


def row_count(file: Path) -> int:
    """The number of hits in a file.

    Raises:
        InputRefused: the file is not a Parquet export.
    """
    with _opened(file, "count(*)") as result:
        row = result.fetchone()
        return int(row[0]) if row else 0


def read_rows(file: Path) -> Iterator[ParquetHit]:
    """All hits, in the order of the file.

    Raises:
        InputRefused: the file is not a Parquet export, or damaged.
    """
    with _opened(file, "*") as described:
        names = [column[0] for column in described.description or ()]
    with _opened(file, _columns(names)) as result:
        while rows := _fetched(file, result):
            yield from (ParquetHit(*row) for row in rows)


def _fetched(file: Path, result: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    try:
        return result.fetchmany(ROWS_AT_ONCE)
    except duckdb.Error as error:
        msg = f"{file} holds what cannot be read: {str(error).splitlines()[0]}"
        raise InputRefused(msg) from error


def _opened(file: Path, columns: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1, "memory_limit": f"{MEMORY_MB}MB"})
    try:
        # The text contains only our own names.
        connection.execute(f"SELECT {columns} FROM read_parquet(?)", [str(file)])  # noqa: S608
    except duckdb.Error as error:
        connection.close()
        msg = f"{file} is no Parquet export of Tallystick: {str(error).splitlines()[0]}"
        raise InputRefused(msg) from error
    return connection
