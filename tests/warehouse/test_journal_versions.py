"""The journal has a version: older ones are brought up to date with their hits, newer ones are refused."""

import asyncio
from hashlib import sha256
from pathlib import Path

import apsw
import pytest

from support.warehouses import a_hit, ids, opened_warehouse
from tallystick.errors import DatabaseSchemaRefused, StartRefused
from tallystick.warehouse import KeptRequest
from tallystick.warehouse.duckdb import rows
from tallystick.warehouse.duckdb.copying import copy_files
from tallystick.warehouse.duckdb.journal import JOURNAL_FILE, journal_of
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

FORMATS = {1: "e01adfd2c8af"}
"""Each format, and a digest of what it holds. Add a row for a new format; never change one."""


def test_what_a_batch_holds_has_a_format_of_its_own() -> None:
    shape = repr([(name, kind) for name, (kind, _) in rows.COLUMNS.items()])
    shape += repr([rows.Content.__struct_fields__, KeptRequest.__struct_fields__])
    assert sha256(shape.encode()).hexdigest()[:12] == FORMATS[rows.FORMAT]
    assert max(FORMATS) == rows.FORMAT


async def left_in_journal(file: Path, tmp_path: Path) -> Path:
    """A directory whose only hits, three, lie in the journal; where its warehouse will be."""
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit()] * 3)
        kept = {path.name: path.read_bytes() for path in file.parent.glob(f"{JOURNAL_FILE}*")}
    other = tmp_path / "other"
    other.mkdir()
    for name, content in kept.items():
        (other / name).write_bytes(content)
    return other / file.name


def change(file: Path, sql: str) -> None:
    connection = apsw.Connection(str(file.with_name(JOURNAL_FILE)))
    connection.execute(sql).fetchall()
    connection.close()


async def test_a_journal_without_a_version_keeps_its_hits(file: Path, tmp_path: Path) -> None:
    left = await left_in_journal(file, tmp_path)
    change(left, "DROP TABLE marks; DROP TABLE migration; ALTER TABLE batch DROP COLUMN format")
    assert [batch.last_id for batch in (await asyncio.to_thread(journal_of, left)).batches] == [3]
    async with opened_warehouse(left) as warehouse:
        assert await ids(warehouse) == [1, 2, 3]
        assert [hit.id for hit in await warehouse.append([a_hit()])] == [4]


NEWER = {
    "a newer schema": ("INSERT INTO migration VALUES (1000, 'x')", "schema 3, this program knows schema 2"),
    "a newer format": ("UPDATE batch SET format = 1000", "format 1000, this program knows format 1"),
}


@pytest.mark.parametrize(("sql", "said"), NEWER.values(), ids=NEWER)
async def test_a_newer_journal_is_refused_and_left_alone(file: Path, tmp_path: Path, sql: str, said: str) -> None:
    left = await left_in_journal(file, tmp_path)
    change(left, sql)
    before = left.with_name(JOURNAL_FILE).read_bytes()
    with pytest.raises(StartRefused, match=said):
        await DuckDbWarehouse.open(left)
    assert left.with_name(JOURNAL_FILE).read_bytes() == before


async def test_a_backup_does_not_guess_what_a_newer_journal_holds(file: Path, tmp_path: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit()])
    change(file, "INSERT INTO migration VALUES (1000, 'x')")
    with pytest.raises(DatabaseSchemaRefused, match="newer"):
        await asyncio.to_thread(copy_files, file, tmp_path / "copy.duckdb")


async def test_a_step_that_was_taken_with_another_text_is_refused(file: Path, tmp_path: Path) -> None:
    left = await left_in_journal(file, tmp_path)
    change(left, "UPDATE migration SET checksum = 'x' WHERE number = 2")
    with pytest.raises(DatabaseSchemaRefused, match="another text"):
        await DuckDbWarehouse.open(left)
