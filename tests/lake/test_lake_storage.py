"""Copies of a lake, and moving hits from the embedded file into a lake and back."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import duckdb
import psycopg
import pytest

from support.lakes import MEMORY_MB, QuickLakeStore, fresh_database, fresh_lake
from support.ledgers import opened
from support.nodes import connecting, node, opened_quickly
from support.warehouses import NOW, a_hit, opened_warehouse
from tallystick.cli.doctor import damages, examine
from tallystick.cli.serve import forget_visits
from tallystick.errors import DatabaseSchemaRefused, DatabaseUnreachable, InputRefused, StoresDisagree
from tallystick.ledger import Session, open_database
from tallystick.ledger.copying import BackupFile
from tallystick.ledger.sqlite import SqliteDatabase
from tallystick.model.aggregates import AggregateImport
from tallystick.services.backup.warehouse_copy import replaced_warehouse
from tallystick.services.operating.backups import BackupNote
from tallystick.services.stores import backup_notes
from tallystick.settings import Settings
from tallystick.warehouse import IdempotencyRecord, refuse_unfinished_lake
from tallystick.warehouse.duckdb.copying import PORTABLE, checked
from tallystick.warehouse.duckdb.storage import DuckDbStorage
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE
from tallystick.warehouse.lake import storage
from tallystick.warehouse.lake.storage import LakeStorage
from tallystick.warehouse.lake.warehouse import LakePlace, LakeWarehouse
from tallystick.warehouse.types import LedgerMarks, NewestIds

KEPT = IdempotencyRecord("key", "fingerprint", "answer", NOW)
IMPORT = AggregateImport(id=0, site=1, kind="plausible", name="x", digest="a", created=NOW, parts=0, done=False)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(storage, "LakeStore", QuickLakeStore)
    with opened_quickly():
        yield


def lake(url: str, folder: Path) -> LakeStorage:
    return LakeStorage(connecting(url), url, str(folder / "files"))


def tables(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a closed file, but for the schema's record."""
    with duckdb.connect(str(file), read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()
            for name in names
            if name != "migration"
        }


async def an_embedded_copy(folder: Path) -> Path:
    """The copy, for a backup, of an embedded warehouse with a row in every kind of table."""
    file, copy = folder / WAREHOUSE_FILE, folder / "copy" / WAREHOUSE_FILE
    await asyncio.to_thread(copy.parent.mkdir, parents=True)
    async with opened_warehouse(file) as warehouse:
        hits = [a_hit(path, by=path % 50, created=NOW + path, ref="a.example") for path in range(1, 3_000)]
        await warehouse.append([*hits, a_hit(first=False, by=1), a_hit(bot=6)], KEPT)
        number = await warehouse.write(lambda session: session.begin_aggregates(IMPORT))
        rows = {"visitors": [(NOW // 86_400, 3, 3, 0, 3, 10)]}
        await warehouse.write(lambda session: session.add_aggregates(1, number, 1, rows))
        await warehouse.write(lambda session: session.finish_aggregates(1, number, 1, replace=False))
        await asyncio.to_thread(DuckDbStorage(folder).copy_to, copy, None)
    return copy


async def test_hits_move_into_a_lake_and_back_whole(tmp_path: Path) -> None:
    copy, url = await an_embedded_copy(tmp_path), await asyncio.to_thread(fresh_database)
    stored = lake(url, tmp_path)
    assert not await asyncio.to_thread(stored.exists)
    before = await asyncio.to_thread(tables, copy)
    assert len(before["hit"]) == 3_001
    await asyncio.to_thread(stored.replace, copy)
    assert await asyncio.to_thread(stored.exists)
    assert await asyncio.to_thread(stored.count) == 3_001
    assert await asyncio.to_thread(lambda: stored.read_everything(in_use=True)) == 3_001
    assert await asyncio.to_thread(stored.visits_add_up)
    assert (await asyncio.to_thread(lambda: stored.compare_visits(in_use=True))).differing == 0
    assert await asyncio.to_thread(stored.size_bytes) > 0
    back = tmp_path / "back.duckdb"
    await asyncio.to_thread(stored.copy_to, back, None)
    assert await asyncio.to_thread(tables, back) == before
    async with opened_warehouse(back) as warehouse:
        assert [hit.id for hit in await warehouse.append([a_hit()]) if hit] == [3_002]
    await asyncio.to_thread(stored.replace, None)
    assert await asyncio.to_thread(stored.count) == 0


async def test_a_copy_has_what_is_acknowledged_and_not_in_the_lake_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await asyncio.to_thread(fresh_lake, tmp_path / "files")
    stored, copy = lake(url, tmp_path), tmp_path / "copy.duckdb"
    async with node(url, tmp_path, "a") as warehouse:
        await warehouse.append([a_hit(path, by=1) for path in (1, 2)])
        assert await warehouse.read(lambda session: session.newest_hit(1)) == 2
    monkeypatch.setattr("tallystick.warehouse.lake.mover.LakeMover._move_all", lambda _: None)
    async with node(url, tmp_path, "b") as warehouse:
        await warehouse.append([a_hit(path, by=1, created=NOW + 60) for path in (2, 3)], KEPT)
        await asyncio.to_thread(stored.copy_to, copy, None)
        await warehouse.append([a_hit(9)])
        monkeypatch.setattr(storage, "LEASE_WITHIN_S", 0.2)
        with pytest.raises(DatabaseUnreachable, match="stop all servers"):
            await asyncio.to_thread(stored.replace, None)
    found = await asyncio.to_thread(tables, copy)
    assert [(row[0], row[2]) for row in found["hit"]] == [(1, 1), (2, 2), (3, 2), (4, 3)]
    assert len({row[3] for row in found["hit"]}) == len(found["visit"]) == 1
    assert found["request"] == [("key", "fingerprint", "answer", NOW)]


async def test_a_restored_lake_gets_new_hits_and_none_from_before(tmp_path: Path) -> None:
    copy = await an_embedded_copy(tmp_path / "embedded")
    url = await asyncio.to_thread(fresh_lake, tmp_path / "files")
    async with node(url, tmp_path, "a") as warehouse:
        await warehouse.append([a_hit(7)] * 5)
        assert await warehouse.read(lambda session: session.newest_hit(1)) == 5
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO tallystick_hits.batch (node, content, format, hits) VALUES ('gone', 'x', 3, 1)")
    await asyncio.to_thread(lake(url, tmp_path).replace, copy)
    async with node(url, tmp_path, "b") as warehouse:
        assert await warehouse.idempotency_record("key") == KEPT
        await warehouse.append([a_hit()])
        assert await warehouse.read(lambda session: session.newest_hit(1)) == 3_002


class Killed(BaseException):
    """The restore ends here."""


async def test_no_server_starts_on_half_of_a_restore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = await asyncio.to_thread(fresh_lake, tmp_path / "files")
    stored, file = lake(url, tmp_path), tmp_path / "backup"
    await asyncio.to_thread(SqliteDatabase(file).migrate)
    backup, killed = BackupFile(file), Mock(side_effect=Killed)

    def restore() -> None:
        with replaced_warehouse(backup, stored, tmp_path):
            pass

    with monkeypatch.context() as patch:
        patch.setattr(stored, "replace", killed)
        with pytest.raises(Killed):
            await asyncio.to_thread(restore)
    assert killed.called
    with pytest.raises(StoresDisagree, match="run it again with --force"):
        async with node(url, tmp_path, "a"):
            pass
    with pytest.raises(StoresDisagree, match="was interrupted"):
        await asyncio.to_thread(lambda: refuse_unfinished_lake(connecting(url)))
    await asyncio.to_thread(restore)
    await asyncio.to_thread(lambda: refuse_unfinished_lake(connecting(url)))
    async with node(url, tmp_path, "b"):
        pass


async def test_the_doctor_reads_the_lake(tmp_path: Path) -> None:
    url = await asyncio.to_thread(fresh_lake, tmp_path / "hits")
    stored = LakeStorage(connecting(url), url, str(tmp_path / "hits"))
    settings = Settings(data=tmp_path / "data", database=url, lake=str(tmp_path))

    def checks(*, thorough: bool = False) -> dict[str, tuple[str, str]]:
        return {check.what: (check.status, check.result) for check in damages(settings, thorough=thorough)}

    await asyncio.to_thread(stored.replace, await an_embedded_copy(tmp_path / "embedded"))
    found = await asyncio.to_thread(lambda: checks(thorough=True))
    assert {what: status for what, (status, _) in found.items()} == dict.fromkeys(
        ("lake files", "stores", "every hit", "visits"), "OK"
    )
    assert found["lake files"][1].endswith("3,001 hits")
    await asyncio.to_thread(lambda: stored.note_restore(unfinished=True))
    found = await asyncio.to_thread(checks)
    assert (list(found), found["lake files"][0]) == (["lake files"], "FAIL")
    await asyncio.to_thread(lambda: stored.note_restore(unfinished=False))
    for file in (tmp_path / "hits").rglob("*.parquet"):
        file.unlink()
    found = await asyncio.to_thread(checks)
    assert found["visits"][0] == "FAIL"


async def test_all_servers_see_the_last_backup(tmp_path: Path) -> None:
    url = await asyncio.to_thread(fresh_lake, tmp_path / "hits")
    there, here = (
        Settings(data=tmp_path / name, database=url, lake=str(tmp_path), listen=()) for name in ("there", "here")
    )

    def shown(settings: Settings) -> list[tuple[str, str]]:
        return [(check.status, check.result) for check in examine(settings) if check.what == "backup"]

    async with opened(open_database(url, tmp_path)) as ledger:
        assert await asyncio.to_thread(shown, here) == [
            ("WARN", f"none was taken of {tmp_path} yet; tallystick backup FILE takes one beside a server")
        ]
        notes = backup_notes(ledger.database, there.lake, there.data)
        await asyncio.to_thread(notes.write, BackupNote(NOW * 1_000, 5, hits=True))
        note = BackupNote(time.time_ns() // 1_000_000, 12 << 20, hits=True)
        await asyncio.to_thread(notes.write, note)
        assert await asyncio.to_thread(backup_notes(ledger.database, here.lake, here.data).read) == note
        assert await asyncio.to_thread(shown, here) == [("OK", "the last one was taken 0.0 days ago: 12.0 MB")]

        def older(session: Session) -> None:
            session.connection.execute("DROP TABLE tallystick_hits.backup_note")

        await ledger.write(older)
        assert await asyncio.to_thread(notes.read) is None
        with pytest.raises(InputRefused, match="of an older version"):
            await asyncio.to_thread(notes.write, note)


async def test_a_start_computes_the_visits_of_a_lake_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = await asyncio.to_thread(fresh_lake, tmp_path / "hits")
    stored = LakeStorage(connecting(url), url, str(tmp_path / "hits"))
    settings = Settings(data=tmp_path / "data", database=url, lake=str(tmp_path))
    place = LakePlace(url, str(tmp_path / "hits"), tmp_path / "work", tmp_path / "exports", MEMORY_MB)
    await asyncio.to_thread(stored.replace, await an_embedded_copy(tmp_path / "embedded"))

    def damage() -> None:
        with stored.writing() as session:
            session.connection.execute("UPDATE visit SET source = 'x'")

    await asyncio.to_thread(damage)
    assert (await asyncio.to_thread(lambda: stored.compare_visits(in_use=False))).differing > 0
    await asyncio.to_thread(forget_visits, settings)
    warehouse = await LakeWarehouse.open(connecting(url), place)
    try:
        await warehouse.write(lambda session: session.newest_time())
        assert (await asyncio.to_thread(lambda: stored.compare_visits(in_use=True))).differing == 0
        monkeypatch.setattr(storage, "LEASE_WITHIN_S", 0.2)
        with pytest.raises(DatabaseUnreachable, match="stop all servers on it and try again"):
            await asyncio.to_thread(forget_visits, settings)
    finally:
        await warehouse.close()


def test_a_lake_that_is_ahead_of_its_ledger_is_told(tmp_path: Path) -> None:
    url = fresh_lake(tmp_path / "files")
    stored = lake(url, tmp_path)
    older = LedgerMarks(commits=0, newest=NewestIds(), warehouses={}, shared=True)
    assert stored.disagreement(older) is None
    with stored.writing() as session:
        session.connection.execute("UPDATE mark SET site = 7, commits = 1")
    told = stored.disagreement(older)
    assert told is not None
    assert "the ledger is older than the hits" in told
    with pytest.raises(StoresDisagree, match="Restore a backup"):
        stored.copy_to(tmp_path / "copy.duckdb", older)
    stored.forget_visits()
    assert stored.visits_add_up()


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("9.10", "it was written by a newer Tallystick; start that one, or restore a backup made before"),
        ("0.3-dev1", "it was written by an older Tallystick; back it up with that one, and restore the backup into a"),
    ],
)
def test_a_catalogue_of_another_ducklake_is_told_in_one_line(tmp_path: Path, version: str, told: str) -> None:
    url = fresh_lake(tmp_path / "files")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE tallystick_lake.ducklake_metadata SET value = %s WHERE key = 'version'", [version])
    shown = version.partition("-")[0]
    for use in (lake(url, tmp_path).count, lake(url, tmp_path).forget_visits):
        with pytest.raises(DatabaseSchemaRefused) as refused:
            use()
        assert str(refused.value).startswith(
            f"the lake's catalogue has version {shown} of DuckLake, this program knows version 1.0: {told}"
        )
        assert "\n" not in str(refused.value)


def test_a_copy_can_be_opened_by_every_version(tmp_path: Path) -> None:
    stored, copy = lake(fresh_lake(tmp_path / "files"), tmp_path), tmp_path / "copy.duckdb"
    stored.copy_to(copy, None)
    assert checked(copy) == 0
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{copy}' AS it (READ_ONLY)")
        [(version,)] = connection.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'it'"
        ).fetchall()
    assert version <= f"{PORTABLE}+"
