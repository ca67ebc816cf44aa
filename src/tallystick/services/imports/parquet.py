"""Reading our own Parquet exports, which hold everything that was kept of each hit."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from tallystick.errors import InputRefused
from tallystick.services.exports.statistics import joined
from tallystick.services.ingest.ingest import Arrival

_TEXTS = (
    *("path", "title", "ref", "ref_scheme", "campaign", "browser", "browser_version", "system", "system_version"),
    *("country", "region", "language"),
)
COLUMNS = ", ".join(
    [
        *(f"coalesce({name}::VARCHAR, '')" for name in _TEXTS),
        "coalesce(event::BOOLEAN, false), first::BOOLEAN, coalesce(session::UBIGINT, 0), coalesce(width::INTEGER, 0)",
        "epoch(created)::BIGINT",
    ]
)
ROWS_AT_ONCE = 5_000
_NO_TIME = "created must be a time from 1970 on"
MEMORY_MB = 256


def row_count(file: Path) -> int:
    """How many hits the file holds.

    Raises:
        InputRefused: it is no such file.
    """
    with _read(file, "count(*)") as found:
        row = found.fetchone()
        return int(row[0]) if row else 0


def hits(file: Path, now: Callable[[], int]) -> Iterator[Arrival | str]:
    """Every hit, in the order of the export.

    Args:
        now: Unix seconds.

    Raises:
        InputRefused: it is no such file.
    """
    with _read(file, COLUMNS) as found:
        while rows := _fetched(file, found):
            for row in rows:
                created = row[-1]
                yield _arrival(row, now()) if created is not None and created >= 0 else _NO_TIME


def _fetched(file: Path, found: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    try:
        return found.fetchmany(ROWS_AT_ONCE)
    except duckdb.Error as error:
        msg = f"{file} holds what cannot be read: {str(error).splitlines()[0]}"
        raise InputRefused(msg) from error


def _read(file: Path, columns: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1, "memory_limit": f"{MEMORY_MB}MB"})
    try:
        # Only names of ours are put into the text.
        connection.execute(f"SELECT {columns} FROM read_parquet(?)", [str(file)])  # noqa: S608
    except duckdb.Error as error:
        connection.close()
        msg = f"{file} is no Parquet export of Tallystick: {str(error).splitlines()[0]}"
        raise InputRefused(msg) from error
    return connection


def _arrival(row: tuple[Any, ...], now: int) -> Arrival:
    path, title, ref, scheme, campaign, *products, country, region, language = row[: len(_TEXTS)]
    browser, browser_version, system, system_version = products
    event, first, session, width, created = row[len(_TEXTS) :]
    return Arrival(
        path=path,
        title=title,
        event=event,
        session=f"{session:x}" if session else "",
        no_session=not session,
        first=first,
        ref=ref,
        ref_scheme=scheme or None,
        campaign=campaign,
        browser=(browser, browser_version),
        system=(system, system_version),
        location=joined(country, region),
        language=language,
        width=width,
        created=created,
        filtered=False,
        received=now,
    )
