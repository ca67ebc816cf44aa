"""Owners of one counter at once, on two servers with the same database: one succeeds, the others get the reason."""

import asyncio
from collections import Counter as Tally
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from support.analytics import HOST
from support.ledgers import Clock, opened
from support.people import a_person, a_site
from tallystick.errors import CounterReason, OwningRefused
from tallystick.ledger import Database
from tallystick.model.account import EVERY_SITE, Permission, Principal
from tallystick.model.counter import Add, Amend, Create
from tallystick.model.key import Key
from tallystick.services.accounts.tokens import NewToken, create_token
from tallystick.services.counting.counting import Counting
from tallystick.services.counting.owned.changing import (
    OwnedResult,
    OwnerRules,
    amend_owned,
    claim_counter,
    create_owned,
    delete_owned,
    rename_owned,
    renew_secret,
    set_owned,
)
from tallystick.services.counting.owned.proving import Asker, digest_of, secret_of
from tallystick.services.counting.owned.rules import AddingSender
from tallystick.services.counting.owned.service import OwnedCounters
from tallystick.services.idempotency import InFlight

SERVERS = 2


class Servers:
    """Servers on one database.

    Attributes:
        admins: of the site with the name of ``HOST``.
    """

    def __init__(self, clock: Clock, ledgers: list[Any], admins: list[Asker]) -> None:
        self.clock, self.admins, self._ledgers = clock, admins, ledgers
        self._owned = [OwnedCounters(ledger, InFlight()) for ledger in ledgers]
        self.counting = [Counting(ledger) for ledger in ledgers]

    def change(self, number: int, asker: Asker, function: Any, *arguments: Any) -> Awaitable[OwnedResult]:
        change: Any = self._owned[number % SERVERS].change
        changing: Awaitable[OwnedResult] = change(asker, None, function, *arguments, self.clock())
        return changing

    def create(self, number: int, key: Key, **rules: Any) -> Awaitable[OwnedResult]:
        return self.change(number, Asker(), create_owned, key, Create(), OwnerRules(**rules), "", None)

    async def owner(self, key: Key) -> Any:
        found = await self._owned[0].read(key)
        return None if found is None else found.owner


@pytest.fixture
async def servers(database: Database) -> AsyncIterator[Servers]:
    clock = Clock()
    async with AsyncExitStack() as stack:
        ledgers = [await stack.enter_async_context(opened(database, clock)) for _ in range(SERVERS)]
        superuser = await a_person(ledgers[0])
        site = await a_site(ledgers[0], superuser, HOST)
        admins = []
        for number in range(4):
            person = await a_person(ledgers[0], f"admin{number}@example.com", site.id, {"all": "a"})
            wanted = NewToken(name="test", permissions=Permission.COUNTERS_WRITE, sites=(EVERY_SITE,))
            token, _ = await ledgers[0].write(create_token, person, wanted, clock())
            admins.append(Asker(Principal(token, person)))
        yield Servers(clock, ledgers, admins)


async def outcomes(*asked: Awaitable[OwnedResult]) -> tuple[list[OwnedResult], Tally[CounterReason]]:
    """What succeeded, and how often which reason was given."""
    results = await asyncio.gather(*asked, return_exceptions=True)
    refused = Tally[CounterReason]()
    done = []
    for result in results:
        if isinstance(result, OwningRefused):
            refused[result.reason] += 1
        else:
            assert isinstance(result, OwnedResult), result
            done.append(result)
    return done, refused


def secret_owner(done: OwnedResult) -> Asker:
    return Asker(digest=digest_of(secret_of(done.nonce, "")))


async def test_a_counter_is_claimed_once(servers: Servers) -> None:
    key = Key(HOST, "visits")
    await servers.counting[0].add(key, servers.counting[0].hit)
    claims = [servers.change(number, asker, claim_counter, key) for number, asker in enumerate(servers.admins)]
    (claimed,), refused = await outcomes(*claims)
    assert refused == {CounterReason.ALREADY_OWNED: len(claims) - 1}
    assert claimed.found.owner == await servers.owner(key)


async def test_a_counter_is_created_once_and_by_one(servers: Servers) -> None:
    for number in range(4):
        key = Key("example.com", f"new-{number}")
        hits = [servers.counting[each % SERVERS].add(key, Add(1, creates=True)) for each in range(4)]
        created, refused = await outcomes(*(servers.create(each, key) for each in range(4)))
        await asyncio.gather(*hits)
        owner = await servers.owner(key)
        assert len(created) <= 1, "a hit may have been the first, and then nobody owns it"
        assert owner == (created[0].found.owner if created else None)
        assert refused == {CounterReason.EXISTS: 4 - len(created)}


async def test_a_deleted_counter_is_not_its_owners_any_more(servers: Servers) -> None:
    """Who made it anew, or counted on its name, is not overruled by a request that was on its way."""
    key = Key("example.com", "visits")
    owner = secret_owner(await servers.create(0, key, one_each="day"))
    late = [
        servers.change(1, owner, delete_owned, key),
        servers.change(0, owner, set_owned, key, 1_000),
        servers.change(1, owner, amend_owned, key, Amend(), OwnerRules(locked=True)),
        servers.change(0, owner, delete_owned, key),
    ]
    await outcomes(*late)
    assert await servers.owner(key) is None
    await servers.counting[1].add(key, Add(1, creates=True))
    for function, arguments in ((set_owned, (7,)), (delete_owned, ()), (renew_secret, ("",))):
        _, refused = await outcomes(servers.change(0, owner, function, key, *arguments))
        assert refused == {CounterReason.NOT_OWNED: 1}
    assert (await servers.counting[0].add(key, Add(1))).value == 2, "its rules went with it"
    # A stranger's counter of that name is the stranger's.
    await servers.change(0, Asker(is_operator=True), claim_counter, key)
    await servers.change(0, Asker(is_operator=True), delete_owned, key)
    await servers.create(1, key)
    _, refused = await outcomes(servers.change(0, owner, set_owned, key, 7))
    assert refused == {CounterReason.NOT_OWNER: 1}


async def test_two_counters_do_not_get_one_name(servers: Servers) -> None:
    names = [Key("example.com", f"old-{number}") for number in range(4)]
    owners = [secret_owner(await servers.create(0, name)) for name in names]
    new = Key("example.com", "new")
    renames = [
        servers.change(number, owners[number], rename_owned, name, new, None) for number, name in enumerate(names)
    ]
    (renamed,), refused = await outcomes(*renames)
    assert refused == {CounterReason.EXISTS: 3}
    assert await servers.owner(new) == renamed.found.owner
    # Two that change places by a third name wait for each other in one order.
    left, right = [name for name in names if await servers.owner(name)][:2]
    swaps = [
        servers.change(0, owners[names.index(left)], rename_owned, left, right, None),
        servers.change(1, owners[names.index(right)], rename_owned, right, left, None),
    ]
    assert (await outcomes(*swaps))[1] == {CounterReason.EXISTS: 2}


async def test_a_renewed_secret_replaces_the_one_before(servers: Servers) -> None:
    key = Key("example.com", "visits")
    owner = secret_owner(await servers.create(0, key))
    renewed, refused = await outcomes(*(servers.change(number, owner, renew_secret, key, "") for number in range(4)))
    assert (len(renewed), refused) == (1, {CounterReason.NOT_OWNER: 3})
    assert (await servers.change(0, secret_owner(renewed[0]), set_owned, key, 7)).found.counter.value == 7


async def test_a_visitor_is_counted_once_by_all_servers(servers: Servers) -> None:
    key = Key("example.com", "visitors")
    await servers.create(0, key, one_each="hour")
    sent = [
        servers.counting[number % SERVERS].add_checked(key, Add(1), AddingSender(visitor=(b"%d" % (number % 5),)))
        for number in range(40)
    ]
    values = {outcome.value for outcome in await asyncio.gather(*sent)}
    assert max(value or 0 for value in values) == 5
