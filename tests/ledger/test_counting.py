"""Counting: exact, in order, by the rules of ``model.counter``."""

import asyncio

import pytest
from msgspec.structs import replace

from builders import NOW, a_counter, a_key
from support.ledgers import Clock, Gate, opened, totals
from tallystick.errors import StoreFailed, StoreFull
from tallystick.ledger import Database, Ledger, Totals
from tallystick.model.counter import (
    HIT,
    HOUR_MS,
    INT64_MAX,
    INT64_MIN,
    LAST_VERSION,
    LIFETIME_MS,
    LIMITED,
    Add,
    Counter,
    Create,
    Delete,
    Operation,
    Outcome,
    Put,
    RefusalReason,
    Set,
)
from tallystick.model.key import LANES, Key, lane_of


async def test_concurrent_hits_return_every_number_once(ledger: Ledger) -> None:
    outcomes = await asyncio.gather(*(ledger.count(Key("page", "hot"), HIT) for _ in range(2000)))
    assert [outcome.value for outcome in outcomes] == list(range(1, 2001))
    assert await totals(ledger) == Totals(keys_created=1, keys_updated=2000, requests=2000)


async def test_concurrent_hits_on_many_keys(ledger: Ledger) -> None:
    keys = [a_key(f"page-{number}") for number in range(200)]
    assert {lane_of(key) for key in keys} == set(range(LANES))
    outcomes = await asyncio.gather(*(ledger.count(key, HIT) for _ in range(5) for key in keys))
    assert [outcome.value for outcome in outcomes] == [turn for turn in range(1, 6) for _ in keys]
    assert await totals(ledger) == Totals(keys_created=200, keys_updated=1000, requests=1000)


async def test_operations_on_one_counter_happen_in_the_order_given(ledger: Ledger) -> None:
    operations: list[Operation] = [
        Create(5, -10, 10, resettable=True),
        HIT,
        Set(50),
        Add(-10),
        Delete(),
        HIT,
        Create(7),
    ]
    outcomes = await asyncio.gather(*(ledger.count(a_key(), operation) for operation in operations))
    assert outcomes == [
        Outcome(5, None, created=True),
        Outcome(6, 5),
        Outcome(50, 6),
        Outcome(40, 50),
        Outcome(None, 40),
        Outcome(1, None, created=True),
        Outcome(1, 1, RefusalReason.EXISTS),
    ]
    assert await ledger.find(a_key()) == Counter(
        1, 0, 1, resettable=False, created=NOW, expires=NOW + LIFETIME_MS, version=1, hour=NOW // HOUR_MS, base=0
    )


async def test_what_a_refused_operation_leaves_behind_is_one_request(ledger: Ledger) -> None:
    await ledger.count(a_key(), Create(3))
    before = await ledger.find(a_key())
    outcomes = await asyncio.gather(
        ledger.count(a_key(), Add(2)), ledger.count(a_key(), Set(9)), ledger.count(a_key("other"), Add(1))
    )
    assert [outcome.refused for outcome in outcomes] == [
        RefusalReason.OUT_OF_BOUNDS,
        RefusalReason.NOT_RESETTABLE,
        RefusalReason.MISSING,
    ]
    assert await ledger.find(a_key()) == before
    assert await ledger.find(a_key("other")) is None
    assert await totals(ledger) == Totals(keys_created=1, keys_updated=0, requests=4)


WIDEST = replace(
    a_counter(INT64_MIN, lower=INT64_MIN, upper=INT64_MAX, resettable=True),
    created=INT64_MAX,
    expires=INT64_MAX,
    version=LAST_VERSION,
)


@pytest.mark.parametrize("counter", [WIDEST, a_counter(INT64_MAX), a_counter(2**53 + 1)], ids=["widest", "top", "odd"])
async def test_no_digit_is_lost(database: Database, counter: Counter) -> None:
    async with opened(database) as ledger:
        assert (await ledger.count(a_key(), Put(counter))).value == counter.value
    async with opened(database) as ledger:
        assert await ledger.find(a_key()) == counter
        outcome = await ledger.count(a_key(), Add(0))
        assert (outcome.value, outcome.old_value) == (counter.value, counter.value)


async def test_an_import_that_cannot_be_stored_refuses_only_itself(ledger: Ledger) -> None:
    outcomes = await asyncio.gather(
        ledger.count(a_key(), HIT),
        ledger.count(a_key("import"), Put(a_counter(version=2**63))),
        ledger.count(a_key("import"), Put(a_counter(expires=2**63))),
        ledger.count(a_key(), HIT),
    )
    assert [outcome.value for outcome in outcomes] == [1, None, None, 2]


@pytest.mark.parametrize(
    ("one", "another"),
    [(a_key("Visits"), a_key("visits")), (Key("abc", "def-ghi"), Key("abc-def", "ghi")), (a_key("..."), a_key("___"))],
)
async def test_keys_that_look_alike_are_two_counters(ledger: Ledger, one: Key, another: Key) -> None:
    outcomes = await asyncio.gather(*(ledger.count(key, HIT) for key in (one, another, one)))
    assert [outcome.value for outcome in outcomes] == [1, 1, 2]


async def test_a_counter_that_is_not_changed_expires(ledger: Ledger, clock: Clock) -> None:
    await ledger.count(a_key(), HIT)
    clock.pass_a_lifetime()
    assert (await ledger.count(a_key(), Add(1))).refused is RefusalReason.MISSING
    assert await ledger.count(a_key(), HIT) == Outcome(1, None, created=True)
    assert await totals(ledger) == Totals(keys_created=2, keys_updated=2, requests=3)


async def test_a_client_that_hangs_up_does_not_disturb_its_batch(database: Database, gate: Gate) -> None:
    async with opened(database) as ledger:
        gate.close()
        first = ledger.count(a_key(), HIT)
        await gate.until_held()
        hits = [ledger.count(a_key(), HIT) for _ in range(10)]
        for gone in hits[::2]:
            gone.cancel()
        gate.open()
        assert (await first).value == 1
        assert [(await hit).value for hit in hits[1::2]] == [3, 5, 7, 9, 11]
        counter = await ledger.find(a_key())
        assert counter is not None
        assert counter.value == 11


async def test_a_failed_commit_acknowledges_nobody_and_changes_nothing(database: Database, gate: Gate) -> None:
    async with opened(database) as ledger:
        assert (await ledger.count(a_key(), HIT)).value == 1
        gate.failing = StoreFull("the disk is full")
        results = await asyncio.gather(*(ledger.count(a_key(), HIT) for _ in range(5)), return_exceptions=True)
        assert [type(result) for result in results] == [StoreFull] * 5
        assert any(writer.last_failed for writer in ledger.measurements)
        with pytest.raises(StoreFull):
            await ledger.flush()
        gate.failing = None
        await ledger.flush()
        assert not any(writer.last_failed for writer in ledger.measurements)
        assert (await ledger.count(a_key(), HIT)).value == 2
        assert await totals(ledger) == Totals(keys_created=1, keys_updated=2, requests=7)


async def test_a_refusal_does_not_show_that_commits_succeed_again(database: Database, gate: Gate) -> None:
    async with opened(database) as ledger:
        await ledger.count(a_key(), Create(upper=0))
        gate.failing = StoreFull("the disk is full")
        with pytest.raises(StoreFull):
            await ledger.count(a_key(), Add(-1))
        gate.failing = None
        assert (await ledger.count(a_key(), HIT)).refused is RefusalReason.OUT_OF_BOUNDS
        assert any(writer.last_failed for writer in ledger.measurements)
        assert (await ledger.count(a_key(), Add(-1))).value == -1
        assert not any(writer.last_failed for writer in ledger.measurements)


class Admitting:
    """Admits so many creations, and notes how often it was asked."""

    def __init__(self, creations: int) -> None:
        self.left, self.asked = creations, 0

    def __call__(self) -> bool:
        self.asked += 1
        self.left -= 1
        return self.left >= 0


async def test_admission_is_asked_for_once_a_creation(ledger: Ledger) -> None:
    admit = Admitting(creations=10)
    operations: list[Operation] = [HIT, HIT, Create(), Delete(), Create(), Set(1), Add(1), Put(a_counter())]
    await asyncio.gather(*(ledger.count(a_key(), operation, admit) for operation in operations))
    assert admit.asked == 2
    assert (await ledger.count(a_key(), HIT, admit)).value is not None
    assert admit.asked == 2


async def test_a_creation_that_is_not_admitted_changes_nothing(ledger: Ledger) -> None:
    refuses, admits = Admitting(creations=0), Admitting(creations=1)
    outcomes = await asyncio.gather(
        ledger.count(a_key(), HIT, refuses),
        ledger.count(a_key(), Create(), refuses),
        ledger.count(a_key(), HIT, admits),
    )
    assert [*outcomes] == [LIMITED, LIMITED, Outcome(1, None, created=True)]
    assert (refuses.asked, admits.asked) == (2, 1)
    assert await totals(ledger) == Totals(keys_created=1, keys_updated=1, requests=3)


async def test_reviving_an_expired_counter_is_a_creation(ledger: Ledger, clock: Clock) -> None:
    await ledger.count(a_key(), HIT)
    clock.pass_a_lifetime()
    before = await ledger.find(a_key())
    assert await ledger.count(a_key(), HIT, Admitting(creations=0)) == LIMITED
    assert await ledger.find(a_key()) == before


async def test_an_admission_that_breaks_fails_its_own_hit_alone(database: Database, gate: Gate) -> None:
    def broken() -> bool:
        msg = "no idea"
        raise ValueError(msg)

    keys = [a_key(f"page-{number}") for number in range(20)]
    async with opened(database) as ledger:
        gate.close()
        first = ledger.count(a_key("first"), HIT)
        await gate.until_held()
        hits = [ledger.count(key, HIT, broken if number == 7 else None) for number, key in enumerate(keys)]
        gate.open()
        results = await asyncio.gather(*hits, return_exceptions=True)
        assert isinstance(results.pop(7), ValueError)
        assert results == [Outcome(1, None, created=True)] * 19
        assert await ledger.find(keys[7]) is None
        assert not any(writer.failures for writer in ledger.measurements)
        assert (await first, (await totals(ledger)).requests) == (Outcome(1, None, created=True), 21)


async def test_a_batch_that_ends_in_an_unforeseen_error_is_told_and_the_next_one_counts(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_arguments: object) -> None:
        msg = "unforeseen"
        raise ZeroDivisionError(msg)

    with monkeypatch.context() as broken:
        broken.setattr("tallystick.ledger.writer.transactions", breaks)
        broken.setattr("tallystick.ledger.reader.OneSession.use", breaks)
        with pytest.raises(StoreFailed, match="unforeseen"):
            await ledger.count(Key("page", "unforeseen"), HIT)
        with pytest.raises(StoreFailed, match="unforeseen"):
            await ledger.find(Key("page", "unforeseen"))
    assert (await ledger.count(Key("page", "unforeseen"), HIT)).value == 1
    assert await ledger.find(Key("page", "unforeseen")) is not None
