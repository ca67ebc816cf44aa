"""Writes that are carried out together: one that raises does not concern the others of its batch."""

import asyncio
from collections.abc import Sequence
from threading import Event

import pytest

from tallystick.errors import StoreFailed
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
