"""Numbered steps of a schema: one SQL file each, each taken in one transaction with its record.

DuckDB's are here, the journal's in the folder ``journal``. A step that was released must never be edited: its checksum
is recorded and compared.
"""

from collections.abc import Callable, Container
from contextlib import AbstractContextManager
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import zip_longest
from typing import Any, NamedTuple

import duckdb

from tallystick.errors import DatabaseSchemaRefused

FILE_ONLY = frozenset({10})
"""Steps that a lake does not take: they change how a file stores values."""


class MigrationStep(NamedTuple):
    """One step of the schema."""

    number: int
    sql: str
    checksum: str


@cache
def all_steps(folder: str = "") -> list[MigrationStep]:
    """The steps of this program, in order, read once; for the journal with the folder ``journal``."""
    entries = sorted(files(__package__).joinpath(folder).iterdir(), key=lambda entry: entry.name)
    texts = [entry.read_text("utf-8") for entry in entries if entry.name.endswith(".sql")]
    return [MigrationStep(number, text, sha256(text.encode()).hexdigest()) for number, text in enumerate(texts, 1)]


def migrate(
    connection: Any,  # noqa: ANN401  # DuckDB's or apsw's
    transaction: Callable[[], AbstractContextManager[None]],
    folder: str = "",
    what: str = "the warehouse",
    left_out: Container[int] = (),
) -> None:
    """Apply all outstanding steps, each in a transaction of its own.

    Args:
        left_out: numbers of steps that are recorded only.

    Raises:
        DatabaseSchemaRefused: the file is newer than this program, or was migrated by another text.
    """
    applied, steps = recorded(connection, folder), all_steps(folder)
    refuse_newer(len(applied), len(steps), what)
    for (number, sql, checksum), taken in zip_longest(steps, applied):
        if taken is None:
            with transaction():
                # In one transaction with the first step: a kill leaves either no tables or a complete step.
                connection.execute(_RECORD).fetchall()
                if number not in left_out:
                    connection.execute(sql).fetchall()
                connection.execute("INSERT INTO migration VALUES (?, ?)", [number, checksum]).fetchall()
        elif tuple(taken) != (number, checksum):
            msg = (
                f"step {number} of the schema of {what} was taken with another text: "
                f"{DatabaseSchemaRefused.OF_OTHER_TEXT}"
            )
            raise DatabaseSchemaRefused(msg)


def recorded(connection: Any, folder: str = "") -> list[tuple[int, str]]:  # noqa: ANN401
    """The applied steps; creates nothing."""
    if folder and not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migration'").fetchall():
        return []
    try:
        steps: list[tuple[int, str]] = connection.execute(
            "SELECT number, checksum FROM migration ORDER BY number"
        ).fetchall()
    except duckdb.CatalogException:  # DuckDB takes a fifth of its start to list its tables
        return []
    return steps


def refuse_newer(schema: int, known: int, what: str) -> None:
    """Refuse a file of a newer program.

    Raises:
        DatabaseSchemaRefused
    """
    if schema > known:
        msg = f"{what} has schema {schema}, this program knows schema {known}: {DatabaseSchemaRefused.OF_NEWER}"
        raise DatabaseSchemaRefused(msg)


_RECORD = "CREATE TABLE IF NOT EXISTS migration (number INTEGER NOT NULL, checksum VARCHAR NOT NULL)"
