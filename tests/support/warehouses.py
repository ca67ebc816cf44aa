"""Warehouses and hits for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import duckdb

from tallystick.model.hit import Hit, Visitor
from tallystick.warehouse import Warehouse, WarehouseSession
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

HOUR = 3_600
NOW = 1_800_000_000
"""Unix seconds at which hits happen that name no time."""


def a_hit(path: int = 1, *, site: int = 1, by: int | None = None, created: int = NOW, **fields: Any) -> Hit:
    """A person's pageview; ``by`` is a visitor whose salt has not changed."""
    visitor = None if by is None else Visitor(by, by)
    return Hit(site=site, path=path, created=created, **{"visitor": visitor, **fields})


@asynccontextmanager
async def opened_warehouse(file: Path, now: int = NOW) -> AsyncIterator[DuckDbWarehouse]:
    """Open until the end, at a time that stands still."""
    warehouse = await DuckDbWarehouse.open(file, clock=lambda: now)
    try:
        yield warehouse
    finally:
        await warehouse.close()


async def rows(
    warehouse: Warehouse, columns: str = "* REPLACE (CAST(width AS UINTEGER) AS width)"
) -> list[tuple[Any, ...]]:
    """Every row of ``hit``, by id."""

    def read(session: WarehouseSession) -> list[tuple[Any, ...]]:
        assert isinstance(session, DuckDbSession)
        return session.connection.execute(f"SELECT {columns} FROM hit ORDER BY id").fetchall()

    return await warehouse.read(read)


async def ids(warehouse: Warehouse) -> list[int]:
    """Every id."""
    return [row[0] for row in await rows(warehouse, "id")]


def take_back_sources_and_visits(connection: duckdb.DuckDBPyConnection) -> None:
    """Take back what the steps from 4 on have done to the schema; the record of the steps stays."""
    take_back_props(connection)
    for column in ("utm_source", "utm_medium", "utm_content", "utm_term", "host", "source", "channel"):
        connection.execute(f"ALTER TABLE hit DROP COLUMN {column}")
    connection.execute("DROP TABLE visit")
    connection.execute("DROP TABLE irregular_visit")
    for column in ("visits", "judged_until"):
        connection.execute(f"ALTER TABLE mark DROP COLUMN {column}")


def take_back_props(connection: duckdb.DuckDBPyConnection) -> None:
    """Take back what the steps from 7 on have done to the schema; the record of the steps stays."""
    for table, columns in {
        "hit": ("page", "props", "interactive", "device"),
        "visit": ("device", "passive_events", "inner_pages"),
    }.items():
        for column in columns:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
