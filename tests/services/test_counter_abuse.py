"""What the operator does against the abuse of public counters: on both databases."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from support.ledgers import Clock, opened
from tallystick.errors import CounterReason, OwningRefused
from tallystick.ledger import Database, Ledger, Session
from tallystick.ledger.folding import CounterWrite, fold
from tallystick.model.counter import (
    FROZEN,
    HIT,
    LIFETIME_MS,
    OWNED,
    Add,
    Amend,
    Create,
    Delete,
    Freeze,
    Outcome,
    RefusalReason,
    Set,
    apply,
    apply_repeatedly,
)
from tallystick.model.key import Key
from tallystick.services.accounts.audit import events
from tallystick.services.counting import abuse
from tallystick.services.counting.abuse import ManyChange, Step
from tallystick.services.counting.counting import Counting
from tallystick.services.counting.owned.changing import (
    OwnerRules,
    amend_owned,
    create_owned,
    give_counter,
    rename_owned,
    set_owned,
)
from tallystick.services.counting.owned.proving import Asker, digest_of, secret_of


class Abused:
    """A ledger with a limit of three keys a namespace, and what is done to counters in it."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.ledger, self.clock, self.counting = ledger, clock, Counting(ledger)

    async def hit(self, name: str) -> Outcome:
        return await self.counting.add(Key(*name.split("/")), HIT)

    async def keys(self, *names: str) -> list[int]:
        found = await self.ledger.read(lambda session: session.namespaces(names))
        return [found[name].keys for name in names]

    async def change(self, text: str, change: ManyChange) -> int:
        step = Step()
        while not step.done:
            step = await self.ledger.write(abuse.change_some, text, change, step, self.clock())
        return step.changed


@pytest.fixture
async def abused(database: Database) -> AsyncIterator[Abused]:
    database.most_keys = 3  # type: ignore[attr-defined]  # both have it, and only servers set it
    clock = Clock()
    async with opened(database, clock) as ledger:
        yield Abused(ledger, clock)


async def test_a_namespace_has_so_many_counters(abused: Abused) -> None:
    outcomes = [await abused.hit(f"example.com/key{number}") for number in range(5)]
    assert [outcome.refused for outcome in outcomes] == [None] * 3 + [RefusalReason.FULL] * 2
    created = {"key0", "key1", "key2"}
    assert await abused.keys("example.com", "other.com") == [3, 0]
    if abused.ledger.database.name == "sqlite":  # elsewhere other lanes are written at the same time
        together = await asyncio.gather(*(abused.hit(f"together.com/key{number}") for number in range(5)))
        assert sum(outcome.created for outcome in together) == 3
    for key in created:
        assert (await abused.hit(f"example.com/{key}")).value == 2  # those that are there count on
    assert (await abused.hit("other.com/key")).created
    for number in range(5):
        assert (await abused.hit(f"default/key{number}")).created  # of all who name no namespace
    gone = Key("example.com", created.pop())
    await abused.ledger.count(gone, Delete())
    assert await abused.keys("example.com") == [2]
    assert (await abused.hit("example.com/another")).created
    assert (await abused.counting.create(gone, Create())).refused is RefusalReason.FULL
    assert (await abused.counting.create(gone, Create(authorized=True))).created
    assert await abused.keys("example.com") == [4]


async def test_a_secret_brings_no_more_counters_into_a_full_namespace(abused: Abused) -> None:
    async def create(name: str) -> Asker:
        arguments = Key(*name.split("/")), Create(), OwnerRules(), "", None, abused.clock()
        made: Any = await abused.ledger.write(create_owned, Asker(), *arguments)
        return Asker(digest=digest_of(secret_of(made.nonce, "")))

    async def rename(owner: Asker, name: str, new: str) -> None:
        keys = Key(*name.split("/")), Key(*new.split("/"))
        await abused.ledger.write(rename_owned, owner, *keys, None, abused.clock())

    first, other = await create("full.com/first"), await create("other.com/key")
    await abused.hit("full.com/second")
    await abused.hit("full.com/third")
    for attempt in (create("full.com/fourth"), rename(other, "other.com/key", "full.com/fourth")):
        with pytest.raises(OwningRefused) as refused:
            await attempt
        assert refused.value.reason is CounterReason.FULL
    await rename(first, "full.com/first", "full.com/renamed")  # there is none more
    assert await abused.keys("full.com", "other.com") == [3, 1]
    await create("default/mine")


async def test_expired_and_renamed_counters_are_counted_as_they_are(abused: Abused) -> None:
    await abused.hit("example.com/first")
    await abused.hit("example.com/second")
    abused.clock.pass_a_lifetime()
    assert (await abused.hit("example.com/first")).created  # in the place of the one that expired
    assert await abused.keys("example.com") == [2]
    assert await abused.counting.sweep() == 1
    assert await abused.keys("example.com") == [1]
    made: Any = await abused.ledger.write(
        create_owned, Asker(), Key("owned.com", "mine"), Create(), OwnerRules(), "", None, abused.clock()
    )
    owner = Asker(digest=digest_of(secret_of(made.nonce, "")))
    await abused.ledger.write(
        rename_owned, owner, Key("owned.com", "mine"), Key("new.com", "mine"), None, abused.clock()
    )
    assert await abused.keys("example.com", "owned.com", "new.com") == [1, 0, 1]
    await abused.ledger.write(_created_and_deleted, abused.clock())
    assert await abused.keys("example.com") == [1]


def _created_and_deleted(session: Session, now: int) -> None:
    key = Key("example.com", "brief")
    fold(session, [CounterWrite(key, HIT), CounterWrite(key, Delete())], now)


async def test_a_closed_namespace_gets_no_new_counters(abused: Abused) -> None:
    await abused.hit("example.com/here")
    await abused.ledger.write(abuse.close_namespace, "example.com", abused.clock())
    await abused.ledger.write(abuse.close_namespace, "example.com", abused.clock())
    assert (await abused.hit("example.com/new")).refused is RefusalReason.CLOSED
    assert (await abused.hit("example.com/here")).value == 2
    arguments = Key("example.com", "mine"), Create(), OwnerRules(), "", None, abused.clock()
    with pytest.raises(OwningRefused) as refused:
        await abused.ledger.write(create_owned, Asker(), *arguments)
    assert refused.value.reason is CounterReason.CLOSED
    assert await abused.ledger.read(abuse.closed_namespaces, "", 5) == ["example.com"]
    listed = await abused.ledger.read(abuse.largest_namespaces, 5)
    assert [(each.name, each.amount, each.closed) for each in listed] == [("example.com", 1, True)]
    await abused.ledger.write(abuse.open_namespace, "example.com", abused.clock())
    await abused.ledger.write(abuse.open_namespace, "example.com", abused.clock())
    assert (await abused.hit("example.com/new")).created
    kinds = [event.kind for event in await abused.ledger.read(events)]
    assert kinds == ["namespace of public counters opened", "namespace of public counters closed"]


async def test_what_is_frozen_is_only_read(abused: Abused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abuse, "CHANGED_AT_ONCE", 2)
    monkeypatch.setattr(abused.ledger.database, "most_keys", None)
    names = [f"spam.com/spam{number}" for number in range(9)]
    for name in (*names, "spam.com/kept", "spam.common/spam"):
        await abused.hit(name)
    assert await abused.change("spam.com/spam", abuse.FREEZE) == 9
    assert await abused.change("spam.com/spam", abuse.FREEZE) == 0
    for name in names:
        assert await abused.hit(name) == Outcome(1, 1, RefusalReason.FROZEN)
    assert [(await abused.hit(name)).value for name in ("spam.com/kept", "spam.common/spam")] == [2, 2]
    assert len(await abused.ledger.read(abuse.frozen_counters, 100)) == 9
    numbers = await abused.ledger.read(abuse.abuse_numbers)
    assert (numbers.created, numbers.frozen, numbers.closed) == (11, 9, 0)
    busiest = await abused.ledger.read(partial(abuse.busiest_namespaces, now=abused.clock(), most=1))
    assert [(each.name, each.amount) for each in busiest] == [("spam.com", 11)]
    assert await abused.change("spam.com/spam1", abuse.UNFREEZE) == 1
    assert (await abused.hit(names[1])).value == 2
    assert await abused.change("spam.com/", abuse.DELETE) == 10
    assert await abused.keys("spam.com", "spam.common") == [0, 1]
    noted = [(event.kind, event.subject, event.detail) for event in await abused.ledger.read(events)]
    assert noted == [
        ("public counters deleted", "spam.com/*", "10 counters"),
        ("public counters unfrozen", "spam.com/spam1*", "1 counters"),
        ("public counters frozen", "spam.com/spam*", "9 counters"),
    ]


async def test_the_owner_of_a_frozen_counter_changes_nothing_either(abused: Abused) -> None:
    key = Key("example.com", "mine")
    made: Any = await abused.ledger.write(
        create_owned, Asker(), key, Create(), OwnerRules(locked=True), "", None, abused.clock()
    )
    owner = Asker(digest=digest_of(secret_of(made.nonce, "")))
    await abused.change("example.com/", abuse.FREEZE)
    for function, arguments in ((set_owned, (5,)), (amend_owned, (Amend(), OwnerRules(locked=False)))):
        with pytest.raises(OwningRefused) as refused:
            await abused.ledger.write(function, owner, key, *arguments, abused.clock())
        assert refused.value.reason is CounterReason.FROZEN


async def test_a_frozen_counter_without_an_owner_stays_frozen_with_one(abused: Abused) -> None:
    key, operator = Key("example.com", "resettable"), Asker(is_operator=True)
    await abused.counting.create(key, Create(value=7, resettable=True))
    assert (await abused.counting.set(key, 8)).refused is None
    await abused.change("example.com/", abuse.FREEZE)
    assert await abused.counting.set(key, 9) == Outcome(8, 8, RefusalReason.FROZEN)
    secret = Asker(digest=digest_of("counter_secret"))
    with pytest.raises(OwningRefused) as refused:  # before anything about owners
        await abused.ledger.write(set_owned, secret, key, 9, abused.clock())
    assert refused.value.reason is CounterReason.FROZEN
    given: Any = await abused.ledger.write(give_counter, operator, key, None, "counter_secret", abused.clock())
    assert given.found.counter.flags == OWNED | FROZEN
    assert await abused.counting.set(key, 9) == Outcome(8, 8, RefusalReason.FROZEN)
    with pytest.raises(OwningRefused) as refused:
        await abused.ledger.write(set_owned, secret, key, 9, abused.clock())
    assert refused.value.reason is CounterReason.FROZEN


def test_a_frozen_counter_refuses_everything_but_the_operator() -> None:
    counter, _ = apply(None, Create(resettable=True), 0)
    frozen, outcome = apply(counter, Freeze(frozen=True), 1)
    assert frozen is not None
    assert counter is not None
    assert (frozen.flags, frozen.version, outcome.refused) == (FROZEN, 2, None)
    assert frozen.expires == counter.expires == LIFETIME_MS
    assert apply(frozen, Add(1, passes=FROZEN - 1), 2)[1].refused is RefusalReason.FROZEN
    assert {each.refused for each in apply_repeatedly(frozen, HIT, 3, 2)[1]} == {RefusalReason.FROZEN}
    assert apply(frozen, Set(1), 2)[1].refused is RefusalReason.FROZEN
    assert apply(frozen, Set(1, forced=True), 2)[1].refused is None
    assert apply(frozen, Freeze(frozen=True), 2)[0] is frozen
    assert apply(apply(frozen, Freeze(frozen=False), 2)[0], HIT, 3)[1].value == 1
