"""What each older program left in a lake is upgraded, counted and counted on: see ``tools/record_lakes.py``."""

import asyncio
import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.nodes import connecting, opened_quickly
from support.postgres import Postgres
from support.warehouses import a_hit, rows
from tallystick.ledger import Ledger, open_database
from tallystick.ledger.postgresql import PostgresqlDatabase
from tallystick.services.stores import opened_lake
from tallystick.warehouse import Warehouse
from tallystick.warehouse.duckdb import migrations
from tallystick.warehouse.lake import migrations as hits_migrations
from tallystick.warehouse.lake.storage import LakeStorage

LAKES = sorted((Path(__file__).parents[1] / "upgrades" / "lakes").iterdir())
TOGETHER = {("warehouse", 9), ("hits", 2)}
"""Steps that came with the next one, or within hours of it: no release has them alone."""


def known_of(file: Path) -> dict[str, Any]:
    with tarfile.open(file) as archive:
        known = archive.extractfile("known.json")
        assert known is not None
        result: dict[str, Any] = json.load(known)
        return result


@asynccontextmanager
async def upgraded(file: Path, folder: Path, url: str) -> AsyncIterator[Warehouse]:
    """Open what an older program left, as a start does."""
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")

    def load() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute((folder / "postgresql.sql").read_bytes())
            connection.execute(
                "UPDATE tallystick_lake.ducklake_metadata SET value = %s WHERE key = 'data_path'",
                [f"{folder}/lake/hits/"],
            )

    await asyncio.to_thread(load)
    database = open_database(url, folder)
    assert isinstance(database, PostgresqlDatabase)
    ledger = await Ledger.open(database)
    try:
        with opened_quickly():
            warehouse = await opened_lake(database, str(folder / "lake"), folder / "data", 512, ledger.seconds)
        try:
            yield warehouse
        finally:
            await warehouse.close()
    finally:
        await ledger.close()


@pytest.mark.parametrize("file", LAKES, ids=lambda file: file.name)
async def test_a_lake_is_upgraded(file: Path, tmp_path: Path, postgres: Postgres) -> None:
    (tmp_path / "data").mkdir()
    hits = known_of(file)["hits"]
    with postgres.fresh_database() as url:
        async with upgraded(file, tmp_path, url) as warehouse:
            await warehouse.append([a_hit(1)])
            stored = await rows(warehouse, "id, path")
            assert len(stored) == sum(hits.values()) + 1
            assert [id_ for id_, _ in stored] == [*range(1, len(stored) + 1)]
            by_path = sorted(sum(path == each for _, path in stored) for each in {path for _, path in stored})
            assert by_path[-1] == hits["/many"]
        storage = LakeStorage(connecting(url), url, str(tmp_path / "lake" / "hits"))
        compared = await asyncio.to_thread(storage.compare_visits, in_use=False)
        assert compared.differing == 0
        assert compared.visits > 0


def test_each_migration_of_a_lake_has_a_state_from_before_it() -> None:
    newest = {"warehouse": len(migrations.all_steps()), "hits": len(hits_migrations.all_steps())}
    recorded = {(part, number) for file in LAKES for part, number in known_of(file)["steps"].items()}
    # The lake is younger than the first eight steps of the embedded file.
    needed = {("warehouse", number) for number in range(8, newest["warehouse"])}
    needed |= {("hits", number) for number in range(1, newest["hits"])}
    needed -= TOGETHER
    assert needed <= recorded, "record the state before your migration: see tools/record_lakes.py"


def test_the_states_of_lakes_are_small() -> None:
    assert sum(file.stat().st_size for file in LAKES) < 500_000
