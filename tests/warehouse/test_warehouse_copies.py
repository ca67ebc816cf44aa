"""Copies of a warehouse that is in use."""

import asyncio
from pathlib import Path

import duckdb
import pytest

from support.warehouses import NOW, a_hit, ids, opened_warehouse
from tallystick.errors import StoreFailed
from tallystick.model.aggregates import AggregateImport
from tallystick.warehouse import IdempotencyRecord
from tallystick.warehouse.duckdb.copying import PORTABLE, checked, copy_files, count_hits
from tallystick.warehouse.duckdb.storage import DuckDbStorage


async def test_a_copy_holds_what_is_acknowledged_wherever_it_lies(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / file.name
    await asyncio.to_thread(copy.parent.mkdir)
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit()] * 3)
        await ids(warehouse)  # these lie in columns
        await warehouse.append(
            [a_hit()] * 2, IdempotencyRecord("key", "fingerprint", "answer", NOW)
        )  # these in the journal
        await asyncio.to_thread(copy_files, file, copy)
        await warehouse.append([a_hit()])
    async with opened_warehouse(copy) as copied:
        assert await ids(copied) == [1, 2, 3, 4, 5]
        assert await copied.idempotency_record("key") is not None
        assert [hit.id for hit in await copied.append([a_hit()])] == [6]


async def test_a_copy_for_a_backup_can_be_opened_by_every_version(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / file.name
    await asyncio.to_thread(copy.parent.mkdir)
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit(by=1)] * 3)
        await asyncio.to_thread(DuckDbStorage(file.parent).copy_to, copy, None)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{copy}' AS it (READ_ONLY)")
        [(version,)] = connection.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'it'"
        ).fetchall()
    assert version <= f"{PORTABLE}+"
    assert [each.name for each in copy.parent.iterdir()] == [copy.name]
    async with opened_warehouse(copy) as copied:
        assert await ids(copied) == [1, 2, 3]


async def test_a_copy_has_imported_aggregates(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / file.name
    await asyncio.to_thread(copy.parent.mkdir)
    new = AggregateImport(id=0, site=1, kind="plausible", name="x", digest="a", created=NOW, parts=0, done=False)
    async with opened_warehouse(file) as warehouse:
        number = await warehouse.write(lambda session: session.begin_aggregates(new))
        rows = {"visitors": [(NOW // 86_400, 3, 3, 0, 3, 10)]}
        await warehouse.write(lambda session: session.add_aggregates(1, number, 1, rows))
        there = await warehouse.write(lambda session: session.finish_aggregates(1, number, 1, replace=False))
        await asyncio.to_thread(copy_files, file, copy)
    assert await asyncio.to_thread(checked, copy) == 0
    async with opened_warehouse(copy) as copied:
        assert await copied.read(lambda session: session.aggregate_imports(1)) == [there]


async def test_a_damaged_copy_is_told(file: Path, tmp_path: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit()])
    content = bytearray(await asyncio.to_thread(file.read_bytes))
    content[8_192:20_000] = b"x" * (20_000 - 8_192)
    damaged = tmp_path / "damaged.duckdb"
    await asyncio.to_thread(damaged.write_bytes, content)
    with pytest.raises(StoreFailed, match="damaged"):
        await asyncio.to_thread(count_hits, damaged)
