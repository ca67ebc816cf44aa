"""A start that fails, or is given up, leaves nothing open: no thread, no file."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.warehouses import a_hit, ids, opened_warehouse
from tallystick.errors import DatabaseUnreachable
from tallystick.warehouse.duckdb import journal, mover, opening, store, warehouse, writer
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

STEPS = [
    (journal, "migrate"),
    (store, "migrate"),
    (warehouse, "settle"),
    (mover, "columns_marks"),
    (writer, "rebuild"),
]


def open_files(folder: Path) -> list[str]:
    """Files below a folder that this process has open."""
    names = []
    for opened in Path("/proc/self/fd").iterdir():
        try:
            names.append(str(opened.readlink()))
        except FileNotFoundError:
            continue
    return [name for name in names if name.startswith(f"{folder}/")]


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("warehouse")}


@pytest.fixture(autouse=True)
def _nothing_is_left_open(tmp_path: Path) -> Iterator[None]:
    yield
    assert not threads()
    assert not open_files(tmp_path)


@pytest.mark.parametrize(
    ("module", "name"), STEPS, ids=[f"{module.__name__.split('.')[-1]}-{n}" for module, n in STEPS]
)
async def test_a_step_that_fails(file: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    async with opened_warehouse(file) as opened:
        [before] = await opened.append([a_hit(by=5)])

    def broken(*_: object, **__: object) -> None:
        msg = "broken"
        raise RuntimeError(msg)

    with monkeypatch.context() as patched:
        patched.setattr(module, name, broken)
        with pytest.raises(DatabaseUnreachable, match="broken"):
            await DuckDbWarehouse.open(file)
    assert not threads()
    assert not await asyncio.to_thread(open_files, file.parent)
    async with opened_warehouse(file) as opened:
        assert await ids(opened) == [before.id]


async def test_a_start_that_is_given_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def slow(*arguments: Any, **named: Any) -> Any:
        begun.set()
        assert goes_on.wait(30)
        return opening.settle(*arguments, **named)

    monkeypatch.setattr(warehouse, "settle", slow)
    starting = asyncio.create_task(DuckDbWarehouse.open(file))
    await asyncio.to_thread(begun.wait, 30)
    starting.cancel()
    await asyncio.sleep(0)
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await starting


def test_what_a_killed_process_has_spilled_is_removed(file: Path) -> None:
    left = file.with_name(store.SPILLED_DIRECTORY) / "duckdb_temp_storage_DEFAULT-0.tmp"
    left.parent.mkdir()
    left.write_bytes(b"left")
    opened = store.Store(file, memory_mb=64)
    opened.open()
    try:
        assert not left.exists()
        with opened.session() as session:
            groups = "SELECT hash(number) AS each, count(*) FROM range(5000000) AS numbers(number) GROUP BY each"
            found = session.connection.execute(f"SELECT count(*) FROM ({groups})").fetchall()  # more than fits
        assert found == [(5_000_000,)]
    finally:
        opened.close()
