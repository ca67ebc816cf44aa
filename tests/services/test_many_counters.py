"""Many public counters with one request: on both databases."""

import asyncio
from collections.abc import Sequence

import pytest

from support.ledgers import Clock, opened
from tallystick.errors import KeyInFlight, KeyReused
from tallystick.ledger import Database
from tallystick.ledger.folding import CounterWrite
from tallystick.model.counter import LIFETIME_MS, Add, RefusalReason
from tallystick.model.key import Key, lane_of
from tallystick.services.counting.many import AddedMany, AddMany, ManyCounters
from tallystick.services.counting.owned.proving import Asker
from tallystick.services.idempotency import InFlight, KeyedRequest

KEYS = [Key("example.com", f"visits{number}") for number in range(40)]


def one_each(keys: Sequence[Key] = KEYS, request: KeyedRequest | None = None) -> AddMany:
    return AddMany(asker=Asker(), additions=[CounterWrite(key, Add(1, creates=True)) for key in keys], request=request)


def keyed(rest: bytes = b"") -> KeyedRequest:
    return KeyedRequest.of("test", "POST", "/api/counters/add", "one", rest=rest)


def values(added: AddedMany | BaseException) -> list[int | None]:
    assert isinstance(added, AddedMany)
    return [outcome.value for outcome in added.outcomes]


async def test_a_list_is_one_transaction_over_all_lanes(database: Database) -> None:
    assert len(set(map(lane_of, KEYS))) > 10
    clock = Clock()
    async with opened(database, clock) as ledger:
        many = ManyCounters(ledger, LIFETIME_MS, InFlight())
        before = ledger.commits
        first = await many.add(one_each())
        assert values(first) == [1] * len(KEYS)
        assert ledger.commits == before + 1
        again = await asyncio.gather(*(many.add(one_each(KEYS[:: 1 if odd else -1])) for odd in (0, 1)))
        assert sorted(value or 0 for added in again for value in values(added)) == [2] * len(KEYS) + [3] * len(KEYS)
        read = await many.read([KEYS[3], Key("example.com", "missing"), KEYS[3]])
        assert [each and each.counter.value for each in read] == [3, None, 3]
        clock.pass_a_lifetime()
        assert await many.read(KEYS[:1]) == [None]


async def test_a_keyed_list_is_carried_out_once_by_two_servers(database: Database) -> None:
    async with opened(database) as ledger, opened(database) as other:
        both = [ManyCounters(each, LIFETIME_MS, InFlight()) for each in (ledger, other)]
        added = await asyncio.gather(*(many.add(one_each(request=keyed())) for many in both))
        assert [values(each) for each in added] == [[1] * len(KEYS)] * 2
        assert sorted(each.replayed for each in added) == [False, True]
        with pytest.raises(KeyReused):
            await both[0].add(one_each(request=keyed(b"other")))
        added_later = await both[1].add(one_each(KEYS[:2]))
        assert values(added_later) == [2, 2]
        twice = await asyncio.gather(
            *(both[0].add(one_each(request=keyed())) for _ in range(2)), return_exceptions=True
        )
        assert [type(each) for each in twice] == [AddedMany, KeyInFlight]


async def test_refusals_are_kept_with_the_others(database: Database) -> None:
    async with opened(database) as ledger:
        many = ManyCounters(ledger, LIFETIME_MS, InFlight())
        asked = AddMany(
            asker=Asker(),
            additions=[CounterWrite(KEYS[0], Add(1)), CounterWrite(KEYS[0], Add(1, creates=True))],
            request=keyed(),
        )
        first, again = await many.add(asked), await many.add(asked)
        assert first.outcomes == again.outcomes
        assert [outcome.refused for outcome in again.outcomes] == [RefusalReason.MISSING, None]
