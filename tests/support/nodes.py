"""Nodes of the shared warehouse in this process, on one PostgreSQL database and one directory."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from support.lakes import MEMORY_MB, QuickLakeStore
from support.warehouses import NOW
from tallystick.ledger.database import opened
from tallystick.ledger.postgresql import PostgresqlDatabase
from tallystick.warehouse.lake import lease, warehouse
from tallystick.warehouse.lake.connecting import Connect, connected
from tallystick.warehouse.lake.lease import LeaseState
from tallystick.warehouse.lake.warehouse import LakePlace, LakeWarehouse


@contextmanager
def opened_quickly() -> Iterator[None]:
    """Until the end, lakes are opened without verifying the signatures of their extensions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warehouse, "LakeStore", QuickLakeStore)
        yield


def connecting(url: str) -> Connect:
    """Opens connections as the server does."""
    return partial(opened, PostgresqlDatabase(url))


@asynccontextmanager
async def node(url: str, folder: Path, name: str, now: int = NOW, files: str = "") -> AsyncIterator[LakeWarehouse]:
    """A node, at a time that stands still; its files are in a folder by default."""
    place = LakePlace(url, files or str(folder / "files"), folder / name, folder / "exports", MEMORY_MB)
    warehouse = await LakeWarehouse.open(connecting(url), place, lambda: now, name)
    try:
        yield warehouse
    finally:
        await warehouse.close()


def lease_of(url: str) -> LeaseState:
    """The lease now."""
    with connected(connecting(url)) as found:
        return lease.state(found)


def end_lease(url: str) -> None:
    """Let the lease end, as that of a mover that is frozen."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE tallystick_hits.lease SET expires = '-infinity'")
