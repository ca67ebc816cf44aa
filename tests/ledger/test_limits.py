"""Bounded: the queue, the batch and what is remembered between batches."""

import asyncio
from pathlib import Path

import pytest

from builders import NOW, a_key
from support.ledgers import Gate, opened
from tallystick.errors import StoreBusy
from tallystick.ledger import Database, Ledger, Session
from tallystick.ledger.folding import CounterWrite, fold
from tallystick.ledger.sqlite import SqliteDatabase
from tallystick.ledger.writer import BATCH_LIMIT, QUEUE_LIMIT
from tallystick.model.counter import HIT


async def test_a_full_queue_refuses_and_what_it_accepted_is_counted(database: Database, gate: Gate) -> None:
    async with opened(database) as ledger:
        gate.close()
        first = ledger.count(a_key(), HIT)
        await gate.until_held()
        accepted = [ledger.count(a_key(), HIT) for _ in range(QUEUE_LIMIT)]
        assert ledger.full
        with pytest.raises(StoreBusy):
            ledger.count(a_key(), HIT)
        gate.open()
        outcomes = await asyncio.gather(first, *accepted)
        assert [outcome.value for outcome in outcomes] == list(range(1, QUEUE_LIMIT + 2))
        assert not ledger.full
        assert (await ledger.count(a_key(), HIT)).value == QUEUE_LIMIT + 2
        sizes = [sum(counts) for counts in zip(*(seen.batch_size.counts for seen in ledger.measurements), strict=True)]
        bounds = ledger.measurements[0].batch_size.bounds
        assert sum(sizes) <= 2 + QUEUE_LIMIT // BATCH_LIMIT + 1, "batches gather all that waits"
        assert not any(sizes[bounds.index(BATCH_LIMIT) + 1 :]), "no batch exceeds the limit"


async def test_a_full_queue_of_look_ups_refuses(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.ledger.reader.QUEUE_LIMIT", 0)
    async with opened(database) as ledger:
        with pytest.raises(StoreBusy):
            ledger.find(a_key())


async def test_too_many_reads_are_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.ledger.reader.READS_AT_ONCE", 5)
    reads = [ledger.read(_size) for _ in range(20)]
    results = await asyncio.gather(*reads, return_exceptions=True)
    assert results[:5] == [0] * 5
    assert {type(result) for result in results[5:]} == {StoreBusy}
    assert await ledger.read(_size) == 0


def _size(session: Session) -> int:
    return session.size()


def test_the_row_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.ledger.sqlite.CACHED_ROWS", 100)
    database = SqliteDatabase(tmp_path / "ledger.sqlite3")
    database.migrate()
    session = database.session(writes=True)
    kept = []
    for start in range(0, 1_000, 30):
        with session.transaction():
            fold(session, [CounterWrite(a_key(f"page-{start + number}"), HIT) for number in range(30)], NOW)
        kept.append(len(session._rows))  # noqa: SLF001  # memory cannot be seen from outside
    session.close()
    assert max(kept) <= 100 + 30
    assert max(kept) > 30


def test_the_row_cache_forgets_what_was_undone(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "ledger.sqlite3")
    database.migrate()
    session = database.session(writes=True)

    def count(*, undo: bool = False) -> int | None:
        with session.transaction():
            [outcome] = fold(session, [CounterWrite(a_key(), HIT)], NOW).outcomes
            if undo:
                raise StoreBusy
            return outcome.value

    assert count() == 1
    with pytest.raises(StoreBusy):
        count(undo=True)
    assert count() == 2
    session.close()
