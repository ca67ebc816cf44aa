"""The history of counters, as batches store it: hours that are over, and milestones."""

import asyncio

from msgspec.structs import replace

from builders import NOW, a_counter, a_key
from support.ledgers import Clock
from tallystick.ledger import Ledger, Session
from tallystick.model.counter import (
    FOREVER,
    HIT,
    HOUR_MS,
    Add,
    Amend,
    Counter,
    Create,
    Delete,
    Operation,
    Put,
    Renew,
    Set,
    apply,
)
from tallystick.model.counter_history import sums_of
from tallystick.model.key import Key, lane_of
from tallystick.services.counting.counting import Counting

HOUR = NOW // HOUR_MS
KEY = a_key()


def _past(session: Session, key: Key) -> list[tuple[int, int]]:
    rows = session.common.past_hours(session.connection, lane=lane_of(key), **key._asdict(), since=0)
    return [(hour, base) for hour, base in rows]


def _passed(session: Session, key: Key) -> list[tuple[int, int]]:
    rows = session.common.milestones(session.connection, lane=lane_of(key), **key._asdict())
    return [(value, at) for value, at in rows]


async def sums(ledger: Ledger, key: Key = KEY) -> list[tuple[int, int]]:
    counter = await ledger.find(key)
    assert counter is not None
    return sums_of(await ledger.read(_past, key), counter)


async def hit(ledger: Ledger, times: int, key: Key = KEY) -> None:
    await asyncio.gather(*(ledger.count(key, HIT) for _ in range(times)))


async def test_each_hour_has_its_sum(ledger: Ledger, clock: Clock) -> None:
    await hit(ledger, 3)
    clock.now += HOUR_MS - 1
    await hit(ledger, 1)
    assert await ledger.read(_past, KEY) == []  # changes of one hour write nothing but the counter
    clock.now += 1
    await hit(ledger, 2)
    clock.now += 5 * HOUR_MS
    await hit(ledger, 1)
    assert await sums(ledger) == [(HOUR, 4), (HOUR + 1, 2), (HOUR + 6, 1)]


async def test_a_value_that_is_set_counts_by_the_difference(ledger: Ledger, clock: Clock) -> None:
    await ledger.count(KEY, Create(50, lower=-9, upper=9, resettable=True))
    for operation in (Add(-4), Set(10), Put(a_counter(7), replaces=True)):
        clock.now += HOUR_MS
        await ledger.count(KEY, operation)
    assert await sums(ledger) == [(HOUR + 1, -4), (HOUR + 2, -36), (HOUR + 3, -3)]


async def test_all_of_a_counter_is_stored_whatever_changed(ledger: Ledger, clock: Clock) -> None:
    operations: list[Operation] = [
        Create(50, lower=-9, upper=9, resettable=True),
        Add(-4),
        Set(10),
        Put(replace(a_counter(7), lower=-2, upper=3, resettable=True), replaces=True),
        Add(2),
        Amend(lower=-1, upper=5, resettable=False),
        Renew(lifetime=FOREVER),
        Add(5),
    ]
    for pause in (0, HOUR_MS):
        expected: Counter | None = None
        for operation in operations:
            clock.now += pause
            # Together with another one, of which a lot changes.
            await asyncio.gather(ledger.count(KEY, operation), ledger.count(a_key("other"), HIT))
            expected, outcome = apply(expected, operation, clock.now)
            assert outcome.refused is None
            assert await ledger.find(KEY) == expected
        await ledger.count(KEY, Delete())
        assert await ledger.find(KEY) is None


async def test_an_hour_that_changed_nothing_has_no_row(ledger: Ledger, clock: Clock) -> None:
    await ledger.count(KEY, Create(5, lower=-9, upper=9))
    await ledger.count(KEY, Add(3))
    await ledger.count(KEY, Add(-3))
    clock.now += HOUR_MS
    await ledger.count(KEY, Add(1))
    assert await ledger.read(_past, KEY) == []
    assert await sums(ledger) == [(HOUR + 1, 1)]


async def test_a_counter_from_before_hours_were_recorded_begins_with_its_value(ledger: Ledger) -> None:
    await ledger.write(_save, KEY, Counter(136, 0, 1, resettable=False, created=0, expires=NOW + 9, version=9))
    await hit(ledger, 2)
    assert await sums(ledger) == [(HOUR, 2)]


async def test_a_new_life_has_no_history_of_the_one_before(ledger: Ledger, clock: Clock) -> None:
    keys = [a_key(name) for name in ("deleted", "deleted-and-made", "expired", "swept", "kept")]
    deleted, made, expired, swept, kept = keys
    for key in keys:
        await ledger.count(key, Create(0, lower=0, upper=2_000))
    for _ in range(2):
        for key in keys:
            await ledger.count(key, Add(2_000))
        clock.now += HOUR_MS
    for key in keys:
        assert (await ledger.read(_past, key), await ledger.read(_passed, key)) == ([(HOUR, 0)], [(1_000, NOW)])
    await asyncio.gather(ledger.count(deleted, Delete()), ledger.count(made, Delete()), ledger.count(made, HIT))
    clock.pass_a_lifetime()
    await ledger.count(expired, HIT)
    await ledger.count(kept, Put(a_counter(4_001, expires=clock() + 1), replaces=True))
    assert await Counting(ledger).sweep() == 2
    assert await ledger.find(swept) is None
    for key in (deleted, made, expired, swept, kept):
        assert (await ledger.read(_past, key), await ledger.read(_passed, key)) == ([], [])


async def test_milestones_are_passed_once(ledger: Ledger, clock: Clock) -> None:
    await ledger.count(KEY, Create(998, lower=-9, upper=100_000, resettable=True))
    first = clock()
    await hit(ledger, 5)
    clock.now += 10
    await ledger.count(KEY, Add(-5))
    await hit(ledger, 5)
    await ledger.count(KEY, Add(99_000))
    assert await ledger.read(_passed, KEY) == [(1_000, first), (10_000, first + 10), (100_000, first + 10)]


async def test_a_counter_passes_no_milestone_by_being_made(ledger: Ledger) -> None:
    await ledger.count(KEY, Put(a_counter(136_000)))
    await hit(ledger, 3)
    assert await ledger.read(_passed, KEY) == []


async def test_many_counters_begin_an_hour_together(ledger: Ledger, clock: Clock) -> None:
    keys = [a_key(f"page-{number}") for number in range(300)]
    for _ in range(3):
        await asyncio.gather(*(ledger.count(key, HIT) for key in keys))
        clock.now += HOUR_MS
    for key in keys[::50]:
        assert await sums(ledger, key) == [(HOUR, 1), (HOUR + 1, 1), (HOUR + 2, 1)]


def _save(session: Session, key: Key, counter: Counter) -> None:
    session.save({key: counter}, session.load([key]))
