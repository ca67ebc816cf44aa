"""Slow storage of files keeps nothing else waiting."""

import asyncio
from pathlib import Path
from threading import Event

import pytest

from support.warehouses import opened_warehouse
from tallystick.errors import StoreBusy
from tallystick.ledger import Ledger, open_database
from tallystick.model.export import Export
from tallystick.services.exports.exports import Exports
from tallystick.services.exports.folder import ExportFolder
from tallystick.services.file_places import FolderPlace
from tallystick.services.file_threads import FileThreads

MORE_THAN_THREADS = 40
"""More than asyncio has threads for everything."""


class SilentStorage(FolderPlace):
    """It does not answer until the event."""

    def __init__(self, work: Path) -> None:
        super().__init__(work)
        self.answers = Event()

    def size(self, name: str) -> int | None:
        assert name
        self.answers.wait(30)
        return 5


def an_export(number: int) -> Export:
    return Export(
        id=number, site=1, format="csv", start_id=None, start_day=None, file="", created=0, finished=1, size=5
    )


async def test_a_silent_storage_leaves_threads_to_others(tmp_path: Path) -> None:
    ledger = await Ledger.open(open_database(None, tmp_path))
    storage = SilentStorage(tmp_path)
    try:
        async with opened_warehouse(tmp_path / "warehouse.duckdb") as warehouse:
            exports = Exports(ledger, warehouse, ExportFolder(storage))
            ledger.clock = lambda: 2
            asked = [asyncio.create_task(exports.sizes([an_export(n)])) for n in range(MORE_THAN_THREADS)]
            async with asyncio.timeout(20):
                assert await asyncio.to_thread(str, 7) == "7"
            assert not any(task.done() for task in asked)
            storage.answers.set()
            assert await asyncio.gather(*asked) == [{n: 5} for n in range(MORE_THAN_THREADS)]
    finally:
        storage.answers.set()
        await ledger.close()


async def test_what_waits_for_a_thread_is_bounded() -> None:
    threads, answers = FileThreads(threads=2, waiting=3), Event()
    waiting = [asyncio.create_task(threads.run(answers.wait, 30)) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy):
        await threads.run(answers.is_set)
    waiting[0].cancel()  # its thread goes on
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    answers.set()
    assert await asyncio.gather(*waiting[1:]) == [True] * 4
    assert await threads.run(answers.is_set)
