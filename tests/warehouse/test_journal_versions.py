"""The journal has a version: older ones are brought up to date with their hits, newer ones are refused."""

import asyncio
import re
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
import pytest

from support.warehouses import NOW, a_hit, ids, opened_warehouse
from support.warehouses import rows as all_rows
from tallystick.errors import DatabaseSchemaRefused, StartRefused
from tallystick.model.props import encoded
from tallystick.warehouse import IdempotencyRecord
from tallystick.warehouse.duckdb import migrations, rows
from tallystick.warehouse.duckdb.copying import bring_in, copy_files
from tallystick.warehouse.duckdb.journal import JOURNAL_FILE, journal_of
from tallystick.warehouse.duckdb.migrations import MigrationStep
from tallystick.warehouse.duckdb.store import Store
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

JOURNALS = Path(__file__).with_name("journals")
"""A journal of each format, as the program of its time left it: two batches, which no DuckDB file has yet."""

FORMATS = {1: "e01adfd2c8af", 2: "fcb035c784e6", 3: "0895e90fb768"}
"""Each format, and a digest of what it holds. Add a row, and a journal, for a new format; never change one."""

KEPT = IdempotencyRecord("token 1: key", "fingerprint", '{"status":"ok"}', 1_790_000_060)
NO_TEXTS = ("", "o", None, "", "", "", "", "", "", "", 0)
HASHED, NUMBERED = 93_291_710_288_143, (1 << 48) + 2
"""The session of the other two hits: older versions made it from the visitor's key."""
FIRST_OF_ALL = (
    *(1, 7, 8, 0, True, True, 3, "example.com/a'b\"c\\d\né😀", "h", 9, "Firefox", "120", "Linux", "Debian"),
    *("US", "TX", "eng", 1_920, 1_790_000_000),
)


def hits_in(format_: int) -> list[tuple[Any, ...]]:
    """The hits of a journal, in the columns of format 1."""
    session = NUMBERED if format_ > 2 else HASHED
    return [
        FIRST_OF_ALL,
        (2, 1, 2, session, True, False, 0, *NO_TEXTS, 1_790_000_000),
        (3, 1, 3, session, True, False, 0, *NO_TEXTS, 1_790_000_050),
    ]


def test_what_a_batch_holds_has_a_format_of_its_own() -> None:
    shape = repr([(name, column.kind) for name, column in rows.COLUMNS.items()])
    shape += repr([rows.Batch.__struct_fields__, IdempotencyRecord.__struct_fields__])
    assert sha256(shape.encode()).hexdigest()[:12] == FORMATS[rows.FORM.format]
    assert max(FORMATS) == rows.FORM.format
    assert {file.name for file in JOURNALS.iterdir()} == {f"format-{format_}.sqlite3" for format_ in FORMATS}


def an_old_journal(file: Path, format_: int) -> Path:
    """A directory that holds nothing but a journal of this format."""
    shutil.copyfile(JOURNALS / f"format-{format_}.sqlite3", file.with_name(JOURNAL_FILE))
    return file


ADDED = {
    2: ("utm_source", "utm_medium", "utm_content", "utm_term", "host", "source", "channel"),
    3: ("page", "props", "interactive", "device"),
}
OF_FIRST = {
    2: ("news", "email", "büro", "a b", "example.com", "Newsletter", "Email"),
    3: (5, encoded({"plan": "pro", 'é"': "a'b\\"}), False, "Tablet"),
}
"""What the first hit has in columns that a format added."""
OF_OTHERS = {2: ("",) * 7, 3: (None, "", True, "")}
"""What the other hits have there, and all of older formats."""


@pytest.mark.parametrize("format_", FORMATS)
async def test_an_old_journal_is_read(file: Path, format_: int) -> None:
    async with opened_warehouse(an_old_journal(file, format_)) as warehouse:
        for since, names in ADDED.items():
            first = OF_FIRST[since] if format_ >= since else OF_OTHERS[since]
            assert await all_rows(warehouse, ", ".join(names)) == [first, OF_OTHERS[since], OF_OTHERS[since]]
        first_of_all = ", ".join(list(rows.COLUMNS)[: len(FIRST_OF_ALL)]).replace("width", "CAST(width AS UINTEGER)")
        assert await all_rows(warehouse, first_of_all) == hits_in(format_)
        assert await warehouse.idempotency_record(KEPT.key) == KEPT
        assert [hit.id for hit in await warehouse.append([a_hit()])] == [4]


@pytest.fixture
def _next_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program whose hits have two columns more, which older ones do not have."""
    hue = rows.Column("VARCHAR", lambda hits, _: ["red"] * len(hits["site"]), since=4, default="unknown")
    depth = rows.Column("UINTEGER", lambda hits, _: [7] * len(hits["site"]), since=5, default=0)
    sql = "ALTER TABLE hit ADD COLUMN hue VARCHAR; ALTER TABLE hit ADD COLUMN depth UINTEGER"
    step = MigrationStep(len(migrations.all_steps()) + 1, sql, "made up")
    before = migrations.all_steps
    monkeypatch.setattr(migrations, "all_steps", lambda folder="": [*before(folder), *([] if folder else [step])])
    monkeypatch.setattr(rows, "FORM", rows.BatchForm({**rows.COLUMNS, "hue": hue, "depth": depth}))


@pytest.mark.usefixtures("_next_version")
@pytest.mark.parametrize("format_", FORMATS)
async def test_hits_of_an_old_journal_get_the_defaults_of_columns_that_were_added(file: Path, format_: int) -> None:
    old = an_old_journal(file, format_)
    async with opened_warehouse(old) as warehouse:
        await warehouse.append([a_hit()])
        [*_, newest] = (await asyncio.to_thread(journal_of, old)).batches
        assert newest.format == 5
        assert await all_rows(warehouse, "id, created, hue, depth") == [
            *((hit[0], hit[-1], "unknown", 0) for hit in hits_in(format_)),
            (4, NOW, "red", 7),
        ]


@pytest.mark.usefixtures("_next_version")
async def test_a_backup_brings_in_an_old_journal(file: Path, tmp_path: Path) -> None:
    async with opened_warehouse(file):
        pass
    (tmp_path / "old").mkdir()
    journal = await asyncio.to_thread(journal_of, an_old_journal(tmp_path / "old" / file.name, 1))
    store = Store(file, 512)
    await asyncio.to_thread(store.open)
    with store.session() as session:
        bring_in(session, journal)
        assert session.connection.execute("SELECT hue FROM hit").fetchall() == [("unknown",)] * 3
    store.close()


async def test_a_program_without_a_column_refuses_hits_that_have_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(rows.FORM, "format", 4)
        left = await left_in_journal(file, tmp_path)
    refusal = f"the journal {left.with_name(JOURNAL_FILE)} holds hits in format 4, this program knows formats up to 3"
    with pytest.raises(DatabaseSchemaRefused, match=f"^{re.escape(refusal)}: start the Tallystick that wrote them, or"):
        await DuckDbWarehouse.open(left)


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
    "a newer format": ("UPDATE batch SET format = 1000", "format 1000, this program knows formats up to 3"),
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
