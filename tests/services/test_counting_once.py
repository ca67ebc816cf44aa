"""An addition with a key is counted once, by one server and by several."""

import asyncio
from collections.abc import Mapping

import pytest

from builders import NOW, a_counter, a_key
from support.ledgers import opened, totals
from support.old_records import store_old_record
from tallystick.errors import KeyInFlight, KeyReused
from tallystick.ledger import Database, Ledger, Totals
from tallystick.model.counter import HIT, LIMITED, Add, Counter, Outcome, Put, RefusalReason
from tallystick.model.key import Key, lane_of
from tallystick.services.counting.add_once import AddOnce, ReplayedAddition, add_once
from tallystick.services.counting.counting import Counting
from tallystick.services.idempotency import KEPT_MS, KeyedRequest, StoredResponse


def a_request(key: str = "one", *, amount: int = 1) -> KeyedRequest:
    return KeyedRequest.of("somebody", "hit", "visits", key, rest=b"%d" % amount)


async def joined(
    ledger: Ledger, request: KeyedRequest, key: Key | None = None, operation: Add = HIT
) -> Outcome | ReplayedAddition:
    """As ``Counting`` does it, but for what it knows of requests in flight."""
    key = key or a_key()
    told: Outcome | ReplayedAddition = await ledger.join(
        add_once, AddOnce(key=key, operation=operation, request=request), lane_of(key)
    )
    return told


async def counter(ledger: Ledger, key: Key | None = None) -> Counter:
    found = await ledger.find(key or a_key())
    assert found is not None
    return found


async def test_it_is_counted_once_and_answered_alike(ledger: Ledger) -> None:
    assert await joined(ledger, a_request()) == Outcome(1, None, created=True)
    assert await joined(ledger, a_request()) == ReplayedAddition(Outcome(1, None, created=True))
    assert await joined(ledger, a_request("another")) == Outcome(2, 1)
    assert await joined(ledger, a_request()) == ReplayedAddition(Outcome(1, None, created=True))
    assert (await counter(ledger)).version == 2
    assert await totals(ledger) == Totals(keys_created=1, keys_updated=2)


async def test_watchers_are_told_after_the_commit(ledger: Ledger) -> None:
    told: list[Mapping[Key, Counter | None]] = []
    ledger.watched.keys, ledger.watched.on_change = {a_key()}, told.append
    for request in (a_request(), a_request(), a_request("another")):
        await joined(ledger, request)
        await joined(ledger, a_request(), a_key("not watched"))
    assert [(state.value, state.version) for (state,) in map(dict.values, map(dict, told)) if state] == [(1, 1), (2, 2)]


async def test_many_at_once_are_told_apart(ledger: Ledger) -> None:
    requests = [(a_key(f"page-{number % 40}"), a_request(str(number))) for number in range(200)]
    told = await asyncio.gather(*(joined(ledger, request, key) for key, request in [*requests, *requests]))
    assert sum(isinstance(one, Outcome) for one in told) == 200
    for key, _ in requests[:40]:
        assert (await counter(ledger, key)).value == 5
    assert await totals(ledger) == Totals(keys_created=40, keys_updated=200)


async def test_a_key_stands_for_one_request(ledger: Ledger) -> None:
    results = await asyncio.gather(
        *(joined(ledger, a_request(amount=amount)) for amount in (1, 2, 1)), return_exceptions=True
    )
    assert [type(one) for one in results] == [Outcome, KeyReused, ReplayedAddition]
    assert (await counter(ledger)).value == 1


async def test_a_refusal_is_kept(ledger: Ledger) -> None:
    assert await joined(ledger, a_request(), operation=Add(1)) == Outcome(None, None, RefusalReason.MISSING)
    await ledger.count(a_key(), HIT)
    assert await joined(ledger, a_request(), operation=Add(1)) == ReplayedAddition(
        Outcome(None, None, RefusalReason.MISSING)
    )
    assert await joined(ledger, a_request("new"), operation=Add(1)) == Outcome(2, 1)


async def test_what_the_creation_limit_refuses_may_be_tried_again(ledger: Ledger) -> None:
    asked = []

    def admit() -> bool:
        asked.append(1)
        return len(asked) > 1

    counting = Counting(ledger)
    tries = [await counting.add_once(a_request(), a_key(), HIT, admit) for _ in range(3)]
    assert tries == [LIMITED, Outcome(1, None, created=True), ReplayedAddition(Outcome(1, None, created=True))]


async def test_while_it_is_carried_out_it_is_refused(ledger: Ledger) -> None:
    counting = Counting(ledger)
    first, second = await asyncio.gather(
        *(counting.add_once(a_request(), a_key(), HIT) for _ in range(2)), return_exceptions=True
    )
    assert first == Outcome(1, None, created=True)
    assert isinstance(second, KeyInFlight)
    assert await counting.add_once(a_request(), a_key(), HIT) == ReplayedAddition(Outcome(1, None, created=True))
    assert (await totals(ledger)).requests == 3


async def test_of_several_servers_one_counts(database: Database) -> None:
    async with opened(database) as one, opened(database) as two, opened(database) as three:
        keys = [a_key(f"page-{number}") for number in range(30)]
        for again in (False, True):
            told = await asyncio.gather(
                *(joined(ledger, a_request(key.key), key) for ledger in (one, two, three) for key in keys)
            )
            assert sum(isinstance(each, Outcome) for each in told) == (0 if again else 30)
        for key in keys:
            assert (await counter(two, key)).value == 1
        assert await totals(three) == Totals(keys_created=30, keys_updated=30)


async def test_after_a_day_a_key_is_new(database: Database) -> None:
    now = NOW
    ledger = await Ledger.open(database, lambda: now)
    try:
        await joined(ledger, a_request())
        now += KEPT_MS - 1
        assert isinstance(await joined(ledger, a_request()), ReplayedAddition)
        now += 1
        assert await joined(ledger, a_request(amount=2)) == Outcome(2, 1)
    finally:
        await ledger.close()


@pytest.mark.parametrize("operation", [HIT, Add(1)])
async def test_it_follows_the_counters_rules(ledger: Ledger, operation: Add) -> None:
    await ledger.count(a_key(), Put(a_counter(7, upper=0)))
    assert await joined(ledger, a_request(), operation=operation) == Outcome(7, 7, RefusalReason.OUT_OF_BOUNDS)
    assert (await counter(ledger)).version == 1


def broken() -> bool:
    msg = "no idea"
    raise ValueError(msg)


async def test_an_addition_that_fails_concerns_its_own_request_only(ledger: Ledger) -> None:
    bad = AddOnce(key=a_key("new"), operation=HIT, request=a_request("bad"), admit=broken)
    results = await asyncio.gather(
        *(joined(ledger, a_request(f"before {number}")) for number in range(10)),
        ledger.join(add_once, bad, lane_of(a_key("new"))),
        *(joined(ledger, a_request(f"after {number}")) for number in range(10)),
        return_exceptions=True,
    )
    assert isinstance(results.pop(10), ValueError)
    assert sorted(one.value or 0 for one in results if isinstance(one, Outcome)) == list(range(1, 21))
    assert (await counter(ledger)).value == 20
    assert await joined(ledger, a_request("bad"), a_key("new")) == Outcome(1, None, created=True)


async def test_a_response_that_an_older_version_stored_is_replayed(ledger: Ledger) -> None:
    request = a_request()
    await ledger.write(store_old_record, request, b'{"value":7}', NOW)
    result = await joined(ledger, request)
    assert result == ReplayedAddition(StoredResponse(200, b'{"value":7}'))
    assert await ledger.find(a_key()) is None
    with pytest.raises(KeyReused):
        await joined(ledger, a_request(amount=2))
