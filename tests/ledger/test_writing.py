"""Other writes and totals: each in its savepoint, all in the batch."""

import asyncio
from typing import Any

import pytest

from builders import a_counter, a_key
from support.ledgers import Gate, opened, totals, until
from tallystick.errors import InputRefused, StoreFailed, StoreFull
from tallystick.ledger import Database, Ledger, Session, Totals
from tallystick.model.counter import HIT, Add, RefusalReason
from tallystick.model.key import Key, lane_of

LANE_MATES = [key for key in (a_key(f"page-{number}") for number in range(200)) if lane_of(key) == 0]


class Refused(Exception):  # named like the product's refusals
    """A write's own error."""


def save(session: Session, key: Key, value: int) -> int:
    session.save({key: a_counter(value)}, session.load([key]))
    return value


def save_and_fail(session: Session, key: Key, value: int) -> None:
    save(session, key, value)
    raise Refused


def break_a_rule_of_the_database(session: Session, key: Key) -> None:
    save(session, key, 5)
    save(session, key, None)  # type: ignore[arg-type]  # the mistake


def lose_the_disk(session: Session, key: Key) -> None:
    save(session, key, 5)
    msg = "the disk is full"
    raise StoreFull(msg)


async def test_what_a_write_raises_is_raised_as_it_is_and_its_connection_stays(ledger: Ledger) -> None:
    error, used = InputRefused("no such thing"), set()

    def fail(session: Session) -> None:
        used.add(session)
        raise error

    for _ in range(4):
        with pytest.raises(InputRefused) as raised:
            await ledger.write(fail)
        assert raised.value is error
    assert len(used) == 1


def value_of(session: Session, key: Key) -> int:
    return session.find([key])[key].value


async def found(ledger: Ledger, *keys: Key) -> list[int | None]:
    counters = await asyncio.gather(*(ledger.find(key) for key in keys))
    return [counter.value if counter else None for counter in counters]


async def test_a_write_answers_and_is_kept(database: Database) -> None:
    async with opened(database) as ledger:
        assert await ledger.write(save, a_key(), 4) == 4
        assert await found(ledger, a_key()) == [4]
    async with opened(database) as ledger:
        assert await found(ledger, a_key()) == [4]


async def test_a_write_sees_the_writes_before_it_in_the_batch(database: Database, gate: Gate) -> None:
    async with opened(database) as ledger:
        batch = await _one_batch(ledger, gate, (save, a_key(), 4), (value_of, a_key()))
        assert batch == [4, 4]


def save_and_raise(session: Session, key: Key, error: BaseException) -> None:
    save(session, key, 5)
    raise error


@pytest.mark.parametrize(
    "failing",
    [
        (save_and_fail, 5),
        (break_a_rule_of_the_database,),
        (save_and_raise, InputRefused("refused")),
        (save_and_raise, KeyError("x")),
        (save_and_raise, StopIteration()),
        (save_and_raise, SystemExit()),
        (save_and_raise, asyncio.CancelledError()),
    ],
    ids=lambda failing: "-".join(getattr(part, "__name__", repr(part)) for part in failing),
)
async def test_a_failing_write_refuses_only_itself(database: Database, gate: Gate, failing: tuple[Any, ...]) -> None:
    one, two, three = LANE_MATES[:3]
    function, *arguments = failing
    async with opened(database) as ledger:
        results = await _one_batch(ledger, gate, (save, one, 1), (function, two, *arguments), (save, three, 3))
        assert results[0] == 1
        assert isinstance(results[1], Exception)
        assert results[2] == 3
        assert await found(ledger, one, two, three) == [1, None, 3]
        assert not any(writer.failures for writer in ledger.measurements)


async def test_a_failing_write_leaves_the_hits_of_its_batch_alone(database: Database, gate: Gate) -> None:
    async with opened(database) as ledger:
        await ledger.count(LANE_MATES[0], HIT)
        gate.close()
        first = ledger.count(LANE_MATES[0], HIT)
        await gate.until_held()
        failing = asyncio.create_task(ledger.write(save_and_fail, LANE_MATES[0], 50))
        await asyncio.sleep(0)
        hits = [ledger.count(LANE_MATES[0], HIT) for _ in range(3)]
        gate.open()
        with pytest.raises(Refused):
            await failing
        assert [(await hit).value for hit in (first, *hits)] == [2, 3, 4, 5]
        assert await found(ledger, LANE_MATES[0]) == [5]
        assert (await ledger.count(LANE_MATES[0], HIT)).value == 6


async def test_a_write_that_loses_the_disk_fails_its_whole_batch(database: Database, gate: Gate) -> None:
    async with opened(database) as ledger:
        results = await _one_batch(ledger, gate, (save, a_key(), 1), (lose_the_disk, a_key("other")))
        assert [type(result) for result in results] == [StoreFull, StoreFull]
        assert await found(ledger, a_key(), a_key("other")) == [None, None]
        assert await ledger.write(save, a_key(), 2) == 2


async def test_a_write_that_is_not_awaited_any_more_is_still_kept(database: Database, gate: Gate) -> None:
    async with opened(database) as ledger:
        gate.close()
        first = asyncio.create_task(ledger.write(save, a_key(), 1))
        await gate.until_held()
        gone = asyncio.create_task(ledger.write(save, a_key("gone"), 2))
        last = asyncio.create_task(ledger.write(save, a_key("last"), 3))
        await asyncio.sleep(0)
        gone.cancel()
        gate.open()
        assert [await first, await last] == [1, 3]
        assert await found(ledger, a_key(), a_key("gone"), a_key("last")) == [1, 2, 3]


async def test_noted_requests_are_kept_by_a_flush(database: Database) -> None:
    async with opened(database) as ledger:
        for _ in range(5):
            ledger.note_request()
        assert await totals(ledger) == Totals(requests=5)
        ledger.note_request()
    async with opened(database) as ledger:
        assert await totals(ledger) == Totals(requests=6)


async def test_noted_requests_are_kept_without_a_flush_when_nothing_happens(ledger: Ledger) -> None:
    ledger.note_request()

    async def kept() -> bool:
        return await ledger.read(_totals) == Totals(requests=1)

    await until(kept)


async def test_requests_that_change_nothing_are_kept_also_when_it_is_never_quiet(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await ledger.count(a_key(), Add(1))).refused is RefusalReason.MISSING
    monkeypatch.setattr("tallystick.ledger.writer.REQUESTS_KEPT_WITHIN_S", 0)
    await ledger.count(a_key(), Add(1))
    assert await ledger.read(_totals) == Totals(requests=2)


async def test_requests_of_failed_commits_are_counted_once(database: Database, gate: Gate) -> None:
    async with opened(database) as ledger:
        gate.failing = StoreFailed("the disk failed")
        await asyncio.gather(*(ledger.count(a_key(), HIT) for _ in range(3)), return_exceptions=True)
        ledger.note_request()
        gate.failing = None
        await ledger.count(a_key(), HIT)
        assert await totals(ledger) == Totals(keys_created=1, keys_updated=1, requests=5)
        assert await totals(ledger) == Totals(keys_created=1, keys_updated=1, requests=5)


async def test_a_flush_fails_while_commits_fail(database: Database, gate: Gate) -> None:
    async with opened(database) as ledger:
        gate.failing = StoreFailed("the disk failed")
        with pytest.raises(StoreFailed):
            await ledger.flush()
        await until(lambda: all(writer.last_failed for writer in ledger.measurements))
        gate.failing = None
        await ledger.flush()


async def _one_batch(ledger: Ledger, gate: Gate, *writes: tuple[Any, ...]) -> list[object]:
    """The results of writes that gathered behind one transaction."""
    gate.close()
    first = asyncio.create_task(ledger.write(_nothing))
    await gate.until_held()
    tasks: list[asyncio.Task[object]] = [asyncio.create_task(ledger.write(*write)) for write in writes]
    await until(lambda: ledger.waiting == len(tasks))
    gate.open()
    await first
    results: list[object] = await asyncio.gather(*tasks, return_exceptions=True)
    return results


def _nothing(_session: Session) -> None:
    """A write that changes nothing."""


def _totals(session: Session) -> Totals:
    return session.totals()
