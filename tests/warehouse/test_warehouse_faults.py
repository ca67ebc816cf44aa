"""A full disk: refusals, never a false success; nothing is lost, nothing is there twice, and it recovers by itself."""

import asyncio
from pathlib import Path

import duckdb
import pytest
from msgspec.structs import astuple
from structlog.testing import capture_logs

from support.disks import full_disk
from support.warehouses import NOW, a_hit, ids, opened_warehouse, rows
from tallystick.errors import StoreUnavailable
from tallystick.model.session import FIRST_SESSION
from tallystick.warehouse.duckdb import checkpoints, journal, mover, visits
from tallystick.warehouse.duckdb.journal import JOURNAL_FILE
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse
from tallystick.warehouse.types import IdempotencyRecord, NumberedHit

LONG = "x" * 500


def wal_bytes(file: Path) -> int:
    """The size of the columns' WAL; 0 where a checkpoint has just removed it."""
    try:
        return file.with_name(f"{file.name}.wal").stat().st_size
    except FileNotFoundError:
        return 0


def journal_bytes(file: Path) -> int:
    return file.with_name(f"{JOURNAL_FILE}-wal").stat().st_size


async def until_refused(warehouse: DuckDbWarehouse) -> list[int]:
    """Append until it is refused: what was acknowledged."""
    acknowledged: list[int] = []
    while True:
        try:
            stored = await warehouse.append([a_hit(len(acknowledged), by=1, ref=LONG)] * 50)
        except StoreUnavailable:
            return acknowledged
        acknowledged += [hit.id for hit in stored]


async def test_a_full_disk_refuses_and_recovers(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        [before] = await warehouse.append([a_hit(1, by=5)])
        with full_disk(journal_bytes(file) + 200_000):
            acknowledged = await until_refused(warehouse)
            for _ in range(3):
                with pytest.raises(StoreUnavailable):
                    await warehouse.append([a_hit(2, by=5, ref=LONG)] * 5_000)
        [after] = await warehouse.append([a_hit(2, by=5)])
        assert len(acknowledged) > 100
        assert after == NumberedHit(acknowledged[-1] + 1, before.session, first=True)
    async with opened_warehouse(file) as warehouse:
        assert await ids(warehouse) == [before.id, *acknowledged, after.id]


async def test_a_session_that_was_refused_has_no_number(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit(by=5)])
        with full_disk(journal_bytes(file) + 200_000), pytest.raises(StoreUnavailable):
            await warehouse.append([a_hit(by=6, ref=LONG)] * 5_000)
        stored = await warehouse.append([a_hit(by=visitor) for visitor in (7, 6, 5)])
        assert [hit.session - FIRST_SESSION for hit in stored] == [2, 3, 1]
    async with opened_warehouse(file) as warehouse:
        stored = await warehouse.append([a_hit(by=visitor) for visitor in (6, 7)])
        assert [hit.session - FIRST_SESSION for hit in stored] == [3, 2]


async def test_what_does_not_fit_into_the_columns_waits_in_the_journal(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "CHECKPOINT_PAGES", 1)  # its file stays small
    monkeypatch.setattr(mover, "TRIED_AGAIN_AFTER_S", 0.05)
    async with opened_warehouse(file) as warehouse:
        acknowledged = [hit.id for _ in range(6) for hit in await warehouse.append([a_hit(by=5, ref=LONG)] * 100)]
        assert await ids(warehouse) == acknowledged
        with full_disk(wal_bytes(file) + 1_000):
            acknowledged += [hit.id for hit in await warehouse.append([a_hit(by=5, ref=LONG)] * 100)]
            with pytest.raises(StoreUnavailable):
                await ids(warehouse)
        assert await ids(warehouse) == acknowledged
    async with opened_warehouse(file) as warehouse:
        assert await ids(warehouse) == acknowledged


async def test_a_server_that_ends_before_the_move_finds_it_in_the_journal(file: Path, tmp_path: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        stored = await warehouse.append([a_hit(by=5)] * 3, IdempotencyRecord("key", "fingerprint", "answer", NOW))
        kept = {path.name: path.read_bytes() for path in file.parent.glob(f"{JOURNAL_FILE}*")}
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)
    # The rows of the first one have arrived: the journal's are not brought in twice.
    async with opened_warehouse(file) as warehouse:
        assert await ids(warehouse) == [hit.id for hit in stored]
        assert (await warehouse.append([a_hit(by=5)]))[0].id == 4
    (tmp_path / "anew").mkdir()
    for name, content in kept.items():
        (tmp_path / "anew" / name).write_bytes(content)
    async with opened_warehouse(tmp_path / "anew" / file.name) as warehouse:
        assert await rows(warehouse, "id, session, first") == [astuple(hit) for hit in stored]
        assert await warehouse.idempotency_record("key") == IdempotencyRecord("key", "fingerprint", "answer", NOW)
        assert (await warehouse.append([a_hit(by=5)]))[0] == NumberedHit(4, stored[0].session, first=False)


async def test_failures_of_the_journal_are_logged_once_and_when_they_end(file: Path) -> None:
    with capture_logs() as logs:
        async with opened_warehouse(file) as warehouse:
            for _ in range(2):
                await warehouse.append([a_hit()])
                with full_disk(journal_bytes(file)):
                    for _ in range(3):
                        with pytest.raises(StoreUnavailable):
                            await warehouse.append([a_hit(ref=LONG)] * 5_000)
                await warehouse.append([a_hit()])
    told = [(log["log_level"], log["event"]) for log in logs if "journal" in log["event"]]
    assert told == 2 * [
        ("error", "a commit of the warehouse's journal failed"),
        ("info", "the journal's commits succeed again"),
    ]


async def test_a_refused_request_is_not_kept(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit()])
        with full_disk(journal_bytes(file)), pytest.raises(StoreUnavailable):
            await warehouse.append([a_hit()], IdempotencyRecord("key", "fingerprint", "answer", NOW))
        assert await warehouse.idempotency_record("key") is None


async def test_a_checkpoint_that_fails_loses_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHECKPOINT_PAGES", 1)  # its file stays small
    monkeypatch.setattr(checkpoints, "TRIED_AGAIN_AFTER_S", 0.0)
    monkeypatch.setattr(mover, "TRIED_AGAIN_AFTER_S", 0.0)
    async with opened_warehouse(file) as warehouse:
        acknowledged = []
        for _ in range(10):
            acknowledged += [hit.id for hit in await warehouse.append([a_hit(by=5, ref=LONG)] * 100)]
            await ids(warehouse)
        with monkeypatch.context() as patched, full_disk(wal_bytes(file) + 20_000):
            patched.setattr(checkpoints, "WAL_BYTES", 0)
            acknowledged += [hit.id for hit in await warehouse.append([a_hit(by=5)])]
            reads = await asyncio.gather(*(ids(warehouse) for _ in range(20)), return_exceptions=True)
            assert all(read == acknowledged or isinstance(read, StoreUnavailable) for read in reads)
            [again] = await warehouse.append([a_hit(by=5)])
            assert not again.first
            acknowledged.append(again.id)
        acknowledged += [hit.id for hit in await warehouse.append([a_hit(by=5)])]
        assert await ids(warehouse) == acknowledged == list(range(1, 1004))
    async with opened_warehouse(file) as warehouse:
        assert await ids(warehouse) == acknowledged


async def test_moves_wait_until_their_statements_can_be_prepared(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> None:
        raise duckdb.OutOfMemoryException

    async with opened_warehouse(file) as warehouse:
        monkeypatch.setattr(mover, "TRIED_AGAIN_AFTER_S", 0.0)
        with monkeypatch.context() as patched, capture_logs():
            patched.setattr(visits, "prepare", refused)
            [hit] = await warehouse.append([a_hit(1)])
            with pytest.raises(StoreUnavailable):
                await ids(warehouse)
        assert await ids(warehouse) == [hit.id]


async def test_checkpoints_empty_the_wal(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "WAL_BYTES", 100_000)
    async with opened_warehouse(file) as warehouse:
        sizes = []
        for _ in range(20):
            await warehouse.append([a_hit(ref=LONG)] * 50)
            await ids(warehouse)
            sizes.append(wal_bytes(file))
        assert max(sizes) < 200_000
        assert await ids(warehouse) == list(range(1, 1001))
