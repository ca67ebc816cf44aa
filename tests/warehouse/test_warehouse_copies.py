"""Copies of a warehouse that is in use."""

import asyncio
import shutil
from pathlib import Path

import duckdb
import pytest

from support.prepared import copy_migrated_ledger, copy_migrated_warehouse
from support.warehouses import NOW, a_hit, ids, opened_warehouse
from tallystick.errors import DatabaseSchemaRefused, InputRefused, StoreFailed
from tallystick.ledger.copying import BackupFile
from tallystick.model.aggregates import AggregateImport
from tallystick.services.backup.warehouse_copy import put_into_backup, replaced_warehouse
from tallystick.warehouse import IdempotencyRecord
from tallystick.warehouse.duckdb.copying import PORTABLE, checked, copy_files, count_hits
from tallystick.warehouse.duckdb.migrations import all_steps
from tallystick.warehouse.duckdb.storage import DuckDbStorage
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE


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


def _too_old(*_: object, **__: object) -> None:
    """What DuckDB 1.5.5 says of a file that 2.0.0 has written."""
    msg = (
        "Trying to read a database file with version number 999, but we can only read versions between 64 and 68.\n"
        "The database file was created with an newer version of DuckDB.\n\nNewer DuckDB version might introduce"
    )
    raise duckdb.IOException(msg)


@pytest.mark.parametrize("newer", ["schema", "format"])
def test_hits_of_a_newer_version_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newer: str
) -> None:
    data, hits = tmp_path / "data", tmp_path / "hits"
    data.mkdir()
    copy_migrated_ledger(data)
    copy_migrated_warehouse(hits)
    file, backup = hits / WAREHOUSE_FILE, tmp_path / "backup"
    if newer == "schema":
        with duckdb.connect(str(file)) as connection:
            connection.execute("INSERT INTO migration VALUES (1000, 'next')")
        told = f"has schema {len(all_steps()) + 1}, this program knows schema {len(all_steps())}"
    else:
        monkeypatch.setattr(duckdb, "connect", _too_old)
        told = "has format 999 of DuckDB, this program knows formats up to 68: "
    with pytest.raises(DatabaseSchemaRefused, match=told):
        checked(file)
    shutil.copyfile(data / "ledger.sqlite3", backup)
    put_into_backup(file, backup)
    with (
        pytest.raises(InputRefused) as refused,
        replaced_warehouse(BackupFile(backup), DuckDbStorage(data), data),
    ):
        raise AssertionError
    assert str(refused.value).startswith(f"{backup} cannot be restored: its copy of the hits {told}")
    assert str(refused.value).endswith("written by a newer Tallystick; start that one, or restore a backup made before")
    assert "\n" not in str(refused.value)
    if newer == "format":
        with pytest.raises(StoreFailed, match=told):
            count_hits(file)
