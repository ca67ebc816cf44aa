"""The sweep: removes what has expired, and nothing else."""

import asyncio

import pytest

from builders import a_counter, a_key, an_expired_counter
from support.ledgers import Clock, Gate, opened, totals, until
from tallystick.ledger import Database, Ledger, Session
from tallystick.model.counter import HIT, Counter, Outcome, Put
from tallystick.model.key import Key, lane_of
from tallystick.model.shared_counter import number_key
from tallystick.services.counting.counting import Counting

KEYS = [a_key(f"page-{number}") for number in range(60)]
# Lane 0 belongs to the writer that sweeps: its hits and the sweep's removals happen in the order given.
IN_LANE_0 = next(key for key in KEYS if lane_of(key) == 0)


async def left(ledger: Ledger) -> dict[Key, Counter]:
    return dict(await ledger.read(_everything))


def _everything(session: Session) -> list[tuple[Key, Counter]]:
    return session.page(None, 1_000)


async def test_the_sweep_removes_exactly_what_has_expired(ledger: Ledger) -> None:
    living = {key: a_counter(number) for number, key in enumerate(KEYS[::3])}
    last_millisecond = {KEYS[1]: a_counter(expires=ledger.clock() + 1)}
    expired = {key: an_expired_counter() for key in KEYS[2:] if key not in living}
    every = {**living, **last_millisecond, **expired}
    await asyncio.gather(*(ledger.count(key, Put(counter)) for key, counter in every.items()))
    before = await totals(ledger)
    assert await Counting(ledger).sweep() == len(expired)
    assert await left(ledger) == living | last_millisecond
    assert await totals(ledger) == before


async def test_the_sweep_leaves_the_numbers_of_shared_counters_alone(ledger: Ledger) -> None:
    number = number_key("01a2016f-e519-705f-b0af-fb2e06a4c46a")
    for key in (number, KEYS[0]):
        await ledger.count(key, Put(an_expired_counter()))
    assert await Counting(ledger).sweep() == 1
    assert set(await left(ledger)) == {number}


async def test_the_sweep_walks_through_everything_and_starts_over(
    ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.services.counting.counting.SWEPT_AT_ONCE", 7)
    await asyncio.gather(*(ledger.count(key, HIT) for key in KEYS))
    counting = Counting(ledger)
    assert [await counting.sweep() for _ in range(4)] == [0] * 4
    clock.pass_a_lifetime()
    await asyncio.gather(*(ledger.count(key, HIT) for key in KEYS[::6]))
    a_walk = len(KEYS) // 7 + 1
    removed = [await counting.sweep() for _ in range(2 * a_walk)]
    assert max(removed) <= 7
    assert sum(removed) == len(KEYS) - len(KEYS[::6])
    assert set(await left(ledger)) == set(KEYS[::6])


async def test_an_empty_ledger_can_be_swept(ledger: Ledger) -> None:
    assert await Counting(ledger).sweep() == 0


async def test_a_hit_that_comes_before_the_removal_revives_the_counter(database: Database, gate: Gate) -> None:
    clock = Clock()
    async with opened(database, clock) as ledger:
        hit, sweep = await _hit_and_sweep(ledger, clock, gate, hit_first=True)
        assert (await hit).value == 1
        assert await sweep == 0
        assert (await left(ledger))[IN_LANE_0].value == 1
        assert (await ledger.count(IN_LANE_0, HIT)).value == 2


async def test_a_hit_that_comes_after_the_removal_begins_anew(database: Database, gate: Gate) -> None:
    clock = Clock()
    async with opened(database, clock) as ledger:
        hit, sweep = await _hit_and_sweep(ledger, clock, gate, hit_first=False)
        assert await sweep == 1
        assert (await hit).value == 1
        assert (await left(ledger))[IN_LANE_0].value == 1
        assert (await ledger.count(IN_LANE_0, HIT)).value == 2


async def _hit_and_sweep(
    ledger: Ledger, clock: Clock, gate: Gate, *, hit_first: bool
) -> tuple[asyncio.Future[Outcome], asyncio.Task[int]]:
    """A hit on an expired counter and the sweep that has seen it expired; commits are held until both wait."""
    for _ in range(5):
        await ledger.count(IN_LANE_0, HIT)
    clock.pass_a_lifetime()
    gate.close()
    counting = Counting(ledger)
    if hit_first:
        hit = ledger.count(IN_LANE_0, HIT)
        await gate.until_held()
        sweep = asyncio.create_task(counting.sweep())
        await until(lambda: ledger.waiting == 1)
    else:
        sweep = asyncio.create_task(counting.sweep())
        await gate.until_held()
        hit = ledger.count(IN_LANE_0, HIT)
    gate.open()
    return hit, sweep
