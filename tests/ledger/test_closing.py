"""Closing: what was accepted is worked through, and everything is there again."""

import asyncio
from pathlib import Path

import pytest

from builders import a_key
from support.ledgers import Gate, opened, totals
from tallystick.errors import StoreClosed
from tallystick.ledger import Database, Ledger, Totals
from tallystick.ledger.sqlite import SqliteDatabase
from tallystick.model.counter import HIT


async def test_everything_is_there_after_reopening(database: Database) -> None:
    keys = [a_key(f"page-{number}") for number in range(40)]
    async with opened(database) as ledger:
        await asyncio.gather(*(ledger.count(key, HIT) for key in keys * 3))
        before = [await ledger.find(key) for key in keys]
    async with opened(database) as ledger:
        assert [await ledger.find(key) for key in keys] == before
        assert await totals(ledger) == Totals(keys_created=40, keys_updated=120, requests=120)
        outcomes = await asyncio.gather(*(ledger.count(key, HIT) for key in keys))
        assert [outcome.value for outcome in outcomes] == [4] * 40


async def test_closing_works_through_what_was_accepted(database: Database, gate: Gate) -> None:
    ledger = await Ledger.open(database)
    gate.close()
    hits = [ledger.count(a_key(), HIT)]
    await gate.until_held()
    hits += [ledger.count(a_key(), HIT) for _ in range(2_500)]
    finds = [ledger.find(a_key()) for _ in range(100)]
    ledger.note_request()
    closing = asyncio.create_task(ledger.close())
    await asyncio.sleep(0)
    gate.open()
    await closing
    assert [(await hit).value for hit in hits] == list(range(1, 2_502))
    await asyncio.gather(*finds)
    async with opened(database) as ledger:
        assert await totals(ledger) == Totals(keys_created=1, keys_updated=2_501, requests=2_502)


async def test_nothing_is_accepted_after_closing(database: Database) -> None:
    ledger = await Ledger.open(database)
    await ledger.close()
    with pytest.raises(StoreClosed):
        await ledger.count(a_key(), HIT)
    with pytest.raises(StoreClosed):
        await ledger.find(a_key())
    with pytest.raises(StoreClosed):
        await ledger.flush()
    with pytest.raises(StoreClosed):
        await ledger.write(print)
    with pytest.raises(StoreClosed):
        await ledger.read(print)


async def test_closing_twice_is_closing_once(database: Database) -> None:
    ledger = await Ledger.open(database)
    await ledger.count(a_key(), HIT)
    await asyncio.gather(ledger.close(), ledger.close())
    await ledger.close()


def test_closing_folds_the_wal_into_the_database_file(tmp_path: Path) -> None:
    async def count() -> None:
        async with opened(SqliteDatabase(tmp_path / "ledger.sqlite3")) as ledger:
            await ledger.count(a_key(), HIT)
            await ledger.find(a_key())
            await totals(ledger)

    asyncio.run(count())
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.sqlite3"]
