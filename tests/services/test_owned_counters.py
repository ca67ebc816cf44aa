"""Public counters with owners: on both databases."""

import asyncio
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from support.analytics import HOST, prepare
from support.ledgers import Clock, opened
from tallystick.errors import CounterReason, KeyReused, OwningRefused
from tallystick.ledger import Database, Ledger, Session
from tallystick.model.account import Principal
from tallystick.model.counter import FOREVER, HOUR_MS, LIFETIME_MS, Add, Amend, Counter, Create, Outcome, RefusalReason
from tallystick.model.key import Key, lane_of
from tallystick.services.accounts.audit import events
from tallystick.services.accounts.sites import NewSite, Sites, create_site
from tallystick.services.accounts.tokens import secret_digest, stored_principal
from tallystick.services.counting.counting import Counting
from tallystick.services.counting.owned.changing import (
    OwnedResult,
    OwnerRules,
    amend_owned,
    claim_counter,
    create_owned,
    delete_owned,
    rename_owned,
    reserve_namespace,
    set_owned,
)
from tallystick.services.counting.owned.proving import Asker, digest_of, secret_of
from tallystick.services.counting.owned.rows import OwnedCounter, read_counter
from tallystick.services.counting.owned.rules import DAY_MS, AddingSender, forget_seen, some_seen_are_over
from tallystick.services.counting.owned.service import OwnedCounters
from tallystick.services.counting.owned.visitors import CounterVisitors
from tallystick.services.idempotency import InFlight, KeyedRequest
from tallystick.services.ingest.agents import load

KEY = Key("example.com", "visits")
PAGE = AddingSender("https://example.com")
TABLES = ("owned_counter", "counter_hour", "counter_milestone", "counter_seen")


class Owned:
    """A ledger, and what is done to counters in it."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.ledger, self.clock = ledger, clock
        self.counters = OwnedCounters(ledger, InFlight())
        self.counting = Counting(ledger)

    async def create(self, asker: Asker | None = None, key: Key = KEY, **rules: Any) -> OwnedResult:
        arguments = key, Create(lower=-5, upper=5), OwnerRules(**rules), "", None, self.clock()
        return await self.counters.change(asker or Asker(), None, create_owned, *arguments)

    async def counter(self, key: Key = KEY) -> Counter:
        found = await self.ledger.find(key)
        assert found is not None
        return found

    async def hit(self, key: Key = KEY, **sender: Any) -> Outcome:
        if sender:
            return await self.counting.add_checked(key, self.counting.hit, AddingSender(**sender))
        return await self.counting.add(key, self.counting.hit)

    async def rows(self, key: Key) -> dict[str, int]:
        return await self.ledger.read(_rows_of, key)


def _rows_of(session: Session, key: Key) -> dict[str, int]:
    count = "SELECT count(*) FROM {} WHERE lane = {} AND namespace = '{}' AND key = '{}'"  # names of the test
    found = {}
    for table in TABLES:
        statement = count.format(table, lane_of(key), *key)
        ((found[table],),) = session.connection.execute(statement).fetchall()
    return found


@pytest.fixture
async def owned(database: Database) -> Any:
    await asyncio.to_thread(load)  # the rules of bots
    clock = Clock()
    async with opened(database, clock) as ledger:
        yield Owned(ledger, clock)


def with_secret(done: OwnedResult) -> Asker:
    return Asker(digest=digest_of(secret_of(done.nonce, "")))


async def a_person(owned: Owned, url: str | None, tmp_path: Path) -> Asker:
    """A superuser's token is too much for these tests: this person administrates one site."""
    prepared = await asyncio.to_thread(partial(prepare, tmp_path, database=url))
    principal = await owned.ledger.read(stored_principal, secret_digest(prepared.token))
    assert isinstance(principal, Principal)
    account = principal.account
    return Asker(Principal(principal.token, type(account)(**{**_fields(account), "access": {"all": "a"}})))


def _fields(account: Any) -> dict[str, Any]:
    return {name: getattr(account, name) for name in account.__struct_fields__}


async def test_what_has_an_owner_never_expires_and_is_the_owners(owned: Owned) -> None:
    made = await owned.create(label="Visits")
    owner = with_secret(made)
    assert (await owned.hit()).value == 1
    owned.clock.now += 9 * LIFETIME_MS
    assert (await owned.hit()).value == 2
    assert (await owned.counter()).expires == FOREVER
    assert await owned.counting.sweep() == 0
    for stranger in (Asker(), Asker(digest=digest_of("counter_another"))):
        tries: tuple[tuple[Any, ...], ...] = (
            (set_owned, KEY, 5),
            (delete_owned, KEY),
            (rename_owned, KEY, Key("abc", "def"), None),
        )
        change: Any = owned.counters.change
        for function, *arguments in tries:
            with pytest.raises(OwningRefused) as refused:
                await change(stranger, None, function, *arguments, owned.clock())
            assert refused.value.reason is CounterReason.NOT_OWNER
    assert (await owned.counters.change(owner, None, set_owned, KEY, -7, owned.clock())).found.counter.value == -7
    locked = Amend(), OwnerRules(locked=True), owned.clock()
    await owned.counters.change(owner, None, amend_owned, KEY, *locked)
    assert await owned.hit() == Outcome(-7, -7, RefusalReason.LOCKED)
    found = await owned.counters.read(KEY)
    assert found is not None
    assert found.owner is not None
    assert (found.locked, found.owner.label) == (True, "Visits")
    await owned.counters.change(owner, None, delete_owned, KEY, owned.clock())
    assert await owned.counters.read(KEY) is None
    assert await owned.rows(KEY) == dict.fromkeys(TABLES, 0)
    assert (await owned.hit()).created
    with pytest.raises(OwningRefused) as refused:
        await owned.counters.change(owner, None, set_owned, KEY, 5, owned.clock())
    assert refused.value.reason is CounterReason.NOT_OWNED


async def test_a_renamed_counter_keeps_everything(owned: Owned) -> None:
    made = await owned.create(origins=("https://example.com",))
    owner, name = with_secret(made), KEY
    await owned.counters.change(owner, None, set_owned, KEY, 1_000_003, owned.clock())
    owned.clock.now += 1_000 * (3_600)
    assert (await owned.hit(origin="https://example.com")).value == 1_000_004
    before, rows = await owned.counter(), await owned.rows(KEY)
    assert rows["counter_milestone"] == 4
    assert rows["owned_counter"] == rows["counter_hour"] == 1
    names = [Key("example.com", f"name-{number}") for number in range(6)]
    assert len({lane_of(new) for new in names}) > 2
    await owned.counting.create_unique(names[3], Create(lifetime=1), "day")
    await owned.counting.add(names[4], Add(1, creates=True))
    owned.clock.now += 1_000 * (1)  # the leftover of an expired counter is in the way of nobody
    for new in names:
        if new == names[4]:
            with pytest.raises(OwningRefused) as refused:
                await owned.counters.change(owner, None, rename_owned, name, new, None, owned.clock())
            assert refused.value.reason is CounterReason.EXISTS
            continue
        done = await owned.counters.change(owner, None, rename_owned, name, new, None, owned.clock())
        assert await owned.ledger.find(name) is None
        assert await owned.rows(name) == dict.fromkeys(TABLES, 0)
        assert done.found.counter == await owned.counter(new)
        name = new
    after = await owned.counter(name)
    assert (after.value, after.version) == (before.value, before.version + 5)
    assert await owned.rows(name) == rows
    assert (await owned.hit(name, origin="https://example.com")).value == 1_000_005


async def test_pages_of_named_origins_count(owned: Owned) -> None:
    made = await owned.create(origins=("HTTPS://Example.com:443/", "http://localhost:8080"))
    assert made.found.owner is not None
    assert made.found.owner.origins == ("https://example.com", "http://localhost:8080")
    assert await owned.hit() == Outcome(0, 0, RefusalReason.RESTRICTED)
    for origin, refused in (
        ("https://example.com", None),
        ("http://localhost:8080", None),
        ("", RefusalReason.RESTRICTED),
    ):
        assert (await owned.hit(origin=origin)).refused is refused, origin
    assert (await owned.counter()).value == 2
    too_much = owned.counting.add_checked(KEY, Add(6), PAGE)
    assert await too_much == Outcome(2, 2, RefusalReason.OUT_OF_BOUNDS)
    request = KeyedRequest.of("somebody", "hit", str(KEY), "one", rest=b"1")
    first = await owned.counting.add_once(request, KEY, owned.counting.hit)
    assert isinstance(first, Outcome)
    assert first.refused is RefusalReason.RESTRICTED
    for _ in range(2):
        await owned.counting.add_once(request, KEY, owned.counting.hit, sender=PAGE)
    assert (await owned.counter()).value == 3


async def test_each_visitor_counts_once_in_a_window(owned: Owned) -> None:
    one, two, one_later = b"one", b"two", (b"one, under a new salt", b"one")
    for one_each, seconds, again in (("hour", HOUR_MS // 1_000, 2), ("day", DAY_MS // 1_000, 2), ("visit", 9_000, 1)):
        key = Key("example.com", one_each)
        await owned.create(key=key, one_each=one_each)
        values = [(await owned.hit(key, visitor=(each,))).value for each in (one, one, two, one)]
        assert values == [1, 1, 2, 2]
        assert (await owned.hit(key, origin="https://example.com")).value == 2  # a bot, or nobody known
        owned.clock.now += 1_000 * (60)
        assert (await owned.hit(key, visitor=one_later)).value == 2
        assert (await owned.hit(key, visitor=one_later[:1])).value == 2  # the older salt is destroyed
        owned.clock.now += 1_000 * (seconds)
        assert (await owned.hit(key, visitor=(two,))).value == 1 + again
        too_much = await owned.counting.add_checked(key, Add(6), AddingSender(visitor=(b"three",)))
        assert too_much.refused is RefusalReason.OUT_OF_BOUNDS
    owned.clock.now += 1_000 * (3 * DAY_MS // 1_000)
    assert await owned.ledger.read(some_seen_are_over, owned.clock())
    await owned.ledger.write(forget_seen, owned.clock())
    assert not await owned.ledger.read(some_seen_are_over, owned.clock())


async def test_many_visitors_at_once_are_each_counted_once(owned: Owned) -> None:
    await owned.create(one_each="day")
    sent = [owned.hit(visitor=(b"%d" % (number % 7),)) for number in range(60)]
    await asyncio.gather(*sent)
    assert (await owned.counter()).value == 7


async def test_visitors_of_two_counters_cannot_be_compared(owned: Owned) -> None:
    visitors, agent = (
        CounterVisitors(owned.ledger, Sites(owned.ledger)),
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    )
    address = ip_address("192.0.2.1")
    made = [await visitors.of(key, address, agent) for key in (KEY, KEY, Key("example.com", "other"))]
    assert made[0] == made[1] != made[2]
    assert await visitors.of(KEY, None, agent) == await visitors.of(KEY, address, "Googlebot/2.1") == ()


async def test_requests_with_a_key_are_carried_out_once(owned: Owned) -> None:
    request = KeyedRequest.of("counters", "POST", "/api/counters", "a key of 16 letters", rest=b"")
    other = KeyedRequest.of("counters", "POST", "/api/counters", "a key of 16 letters", rest=b"other")
    arguments = KEY, Create(), OwnerRules(), "a key of 16 letters", None, owned.clock()
    first = await owned.counters.change(Asker(), request, create_owned, *arguments)
    again = await owned.counters.change(Asker(), request, create_owned, *arguments)
    assert (again.nonce, again.replayed, first.replayed) == (first.nonce, True, False)
    assert first.found.owner is not None
    assert first.found.owner.digest == digest_of(secret_of(again.nonce, "a key of 16 letters"))
    with pytest.raises(KeyReused):
        await owned.counters.change(Asker(), other, create_owned, *arguments)


async def test_accounts_and_sites_own_and_leave(owned: Owned, ledger_url: str | None, tmp_path: Path) -> None:
    person = await a_person(owned, ledger_url, tmp_path)
    elsewhere, here = Key("elsewhere", "visits"), Key(HOST, "visits")
    for key in (elsewhere, here):
        await owned.hit(key)
    with pytest.raises(OwningRefused) as refused:
        await owned.counters.change(person, None, claim_counter, elsewhere, owned.clock())
    assert refused.value.reason is CounterReason.NO_PROOF
    claimed = await owned.counters.change(person, None, claim_counter, here, owned.clock())
    assert claimed.found.counter.expires == FOREVER
    with pytest.raises(OwningRefused) as refused:
        await owned.counters.change(person, None, claim_counter, here, owned.clock())
    assert refused.value.reason is CounterReason.ALREADY_OWNED
    assert [each.key for each in await owned.counters.of_account(person.account or 0, None, 9)] == [here]
    await owned.counters.act(person, reserve_namespace, HOST, owned.clock())
    new = Key(HOST, "new")
    assert (await owned.hit(new)).refused is RefusalReason.RESERVED
    assert (await owned.counting.create(new, Create())).refused is RefusalReason.RESERVED
    assert (await owned.hit(here)).value == 2
    with pytest.raises(OwningRefused) as refused:
        await owned.create(key=new)
    assert refused.value.reason is CounterReason.RESERVED
    await owned.create(person, key=new)
    kinds = [each.kind for each in await owned.ledger.read(events)][:3]
    assert kinds == ["public counter created", "namespace of public counters reserved", "public counter claimed"]
    assert person.person is not None
    second = await owned.ledger.write(create_site, person.person, NewSite(cname="second.example.com"), owned.clock())
    await owned.ledger.write(_reserve_for, second.id)
    await owned.counters.act(person, reserve_namespace, HOST, owned.clock())
    assert await owned.ledger.read(_reserved_for) not in {None, second.id}
    await owned.ledger.write(
        lambda session: session.common.leave_owned_counters(session.connection, account=person.account)
    )
    left = await owned.ledger.read(read_counter, here, owned.clock())
    assert isinstance(left, OwnedCounter)
    assert left.owner is not None
    assert left.owner.is_nobody
    with pytest.raises(OwningRefused) as refused:
        await owned.counters.change(person, None, set_owned, here, 5, owned.clock())
    assert refused.value.reason is CounterReason.NOT_OWNED
    await owned.counters.change(person, None, claim_counter, here, owned.clock())


def _reserve_for(session: Session, site: int) -> None:
    """As if another site had had the namespace's name."""
    session.common.reserve_namespace(session.connection, namespace=HOST, site=site, created=0)


def _reserved_for(session: Session) -> int | None:
    number: int | None = session.common.reservation_of(session.connection, namespace=HOST)
    return number
