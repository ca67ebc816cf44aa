"""Writes that are carried out together: one that raises does not concern the others of its batch."""

import asyncio
from collections.abc import Callable, Sequence
from threading import Event

import msgspec
import pytest

from tallystick.errors import StoreFailed, StoreUnavailable
from tallystick.ledger import Ledger, Session
from tallystick.ledger.writer import JoinedFunction

BATCH = 40


async def in_one_batch(ledger: Ledger, function: JoinedFunction, items: Sequence[str]) -> list[object]:
    """What writes come to that were all handed over while the writer was busy."""
    begun, go_on = Event(), Event()

    def wait(_: Session) -> None:
        begun.set()
        go_on.wait(20)

    busy = asyncio.create_task(ledger.write(wait))
    await asyncio.to_thread(begun.wait, 20)
    joined = [ledger.join(function, item) for item in items]
    go_on.set()
    await busy
    results: list[object] = await asyncio.gather(*joined, return_exceptions=True)
    return results


def store(session: Session, batch: Sequence[str], *_times: int) -> list[object]:
    """Take a number for each item; ``bad`` ones raise after theirs was taken."""
    results: list[object] = []
    for item in batch:
        number = session.take_numbers("token")
        if item.startswith("bad"):
            raise ValueError(item)
        results.append(number)
    return results


def fail_unexpectedly(session: Session, batch: Sequence[str], *_times: int) -> list[object]:
    """Take a number for each item; some fail in the ways that encoding, decoding and plain mistakes do."""
    results: list[object] = []
    for item in batch:
        number = session.take_numbers("token")
        if item in UNEXPECTED:
            UNEXPECTED[item]()
        results.append(number)
    return results


def _raise(error: BaseException) -> None:
    raise error


UNEXPECTED: dict[str, Callable[[], object]] = {
    "encoding": lambda: msgspec.json.encode(object()),
    "surrogate": lambda: msgspec.json.encode("\ud800"),
    "decoding": lambda: msgspec.json.decode(b"{", type=int),
    "key": lambda: _raise(KeyError("x")),
    "stop": lambda: next(iter(())),
    "exit": lambda: _raise(SystemExit()),
    "cancelled": lambda: _raise(asyncio.CancelledError()),
}


async def test_what_fails_unexpectedly_fails_alone(ledger: Ledger) -> None:
    items = ["good", *UNEXPECTED, "good"]
    results = await asyncio.wait_for(in_one_batch(ledger, fail_unexpectedly, items), 20)
    assert [isinstance(result, Exception) for result in results] == [item in UNEXPECTED for item in items]
    assert not any(isinstance(result, StoreUnavailable) for result in results)
    assert not any(writer.failures for writer in ledger.measurements)
    assert await ledger.join(fail_unexpectedly, "good") == 3


async def test_a_result_that_no_future_takes_fails_alone(ledger: Ledger) -> None:
    def stop_some(_session: Session, batch: Sequence[str], *_times: int) -> list[object]:
        return [StopIteration() if item == "bad" else item for item in batch]

    results = await asyncio.wait_for(in_one_batch(ledger, stop_some, ["good", "bad", "fine"]), 20)
    assert [str(result) for result in results] == ["good", "StopIteration: ", "fine"]


async def test_a_statement_of_one_that_makes_no_sense_fails_alone(ledger: Ledger) -> None:
    def run(session: Session, batch: Sequence[str], *_times: int) -> list[object]:
        return [session.connection.execute(item).fetchall()[0][0] for item in batch]

    results = await in_one_batch(ledger, run, ["SELECT 1", "SELECT nothing FROM nowhere", "SELECT 2"])
    assert [results[0], results[2]] == [1, 2]
    assert isinstance(results[1], Exception)
    assert not isinstance(results[1], StoreUnavailable)
    assert not any(writer.failures for writer in ledger.measurements)


def failing(session: Session, batch: Sequence[str], *_times: int) -> list[object]:
    del session, batch
    msg = "the disk is gone"
    raise StoreFailed(msg)


@pytest.mark.parametrize("bad", [(0,), (BATCH - 1,), (7, 8, 30), tuple(range(BATCH))], ids=str)
async def test_only_what_raises_gets_its_error(ledger: Ledger, bad: tuple[int, ...]) -> None:
    items = [f"bad {number}" if number in bad else "good" for number in range(BATCH)]
    results = await in_one_batch(ledger, store, items)
    for item, result in zip(items, results, strict=True):
        assert isinstance(result, ValueError) == item.startswith("bad")
        assert item == str(result) or item == "good"
    numbers = [result for result in results if isinstance(result, int)]
    assert numbers == list(range(numbers[0], numbers[0] + BATCH - len(bad))) if numbers else len(bad) == BATCH
    # What the failing ones had taken was given back.
    expected = numbers[-1] + 1 if numbers else 1
    assert await ledger.join(store, "good") == expected
    assert not any(writer.failures for writer in ledger.measurements)


async def test_a_store_that_fails_fails_all_of_them_at_once(ledger: Ledger) -> None:
    results = await in_one_batch(ledger, failing, ["any"] * BATCH)
    assert all(isinstance(result, StoreFailed) for result in results)
    assert sum(writer.failures for writer in ledger.measurements) == 1
