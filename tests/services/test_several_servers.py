"""What several servers on one PostgreSQL know together: two ledgers stand for two servers."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from hashlib import blake2b
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders import NOW, a_counter
from support.ledgers import opened
from tallystick.errors import KeyInFlight, StoreAway
from tallystick.ledger import Ledger, Session, open_database
from tallystick.model.key import Key
from tallystick.services.accounts.accounts import NewAccount
from tallystick.services.accounts.login_delays import FREE, SPACING_S, LoginDelays
from tallystick.services.accounts.setup import Setup, first_account
from tallystick.services.accounts.sites import NewSite
from tallystick.services.accounts.tickets import MemoryTickets, Ticket, TooManyTickets, tickets_of
from tallystick.services.common_limits import CommonLimits
from tallystick.services.counting.owned.changing import OwnedResult
from tallystick.services.counting.owned.proving import Asker
from tallystick.services.counting.owned.rows import OwnedCounter
from tallystick.services.counting.owned.service import OwnedCounters
from tallystick.services.idempotency import InFlight, KeyedRequest
from tallystick.web.public_limits import CREATIONS, CreationLimit
from tallystick.web.rate_limit import WIDER, Rate, RateLimits
from tallystick.web.sliding_window import SlidingWindows

TICKET = Ticket(7, "tally-ab", "https://example.com")


@pytest.fixture
async def servers(postgres: Any, tmp_path: Path) -> AsyncIterator[tuple[Ledger, Ledger]]:
    async with AsyncExitStack() as stack:
        url = stack.enter_context(postgres.fresh_database(migrated=True))
        one, two = [await stack.enter_async_context(opened(open_database(url, tmp_path))) for _ in range(2)]
        yield one, two


async def test_a_ticket_of_one_server_is_spent_once_on_any(
    servers: tuple[Ledger, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = map(tickets_of, servers)
    secret = await one.issue(TICKET)
    spent = await asyncio.gather(*(tickets.spend(secret) for tickets in (one, two, one, two)))
    assert sorted(spent, key=str) == [None, None, None, TICKET]
    assert await two.spend("another") is None
    monkeypatch.setattr("tallystick.services.accounts.tickets.VALID_S", 0.0)
    assert await two.spend(await one.issue(TICKET)) is None, "too old"
    monkeypatch.undo()
    monkeypatch.setattr("tallystick.services.accounts.tickets.TICKETS_AT_MOST", 2)
    for tickets in (one, two):
        await tickets.issue(TICKET)
    with pytest.raises(TooManyTickets):
        await one.issue(TICKET)


async def test_a_server_of_its_own_keeps_tickets_in_memory(tmp_path: Path) -> None:
    async with opened(open_database(None, tmp_path)) as ledger:
        assert isinstance(tickets_of(ledger), MemoryTickets)


async def test_the_first_account_is_created_with_one_code_on_any_server(servers: tuple[Ledger, Ledger]) -> None:
    one, two = map(Setup, servers)
    assert one.code != two.code
    await one.begin()
    await two.begin()
    assert one.code == two.code
    assert two.unlocked_by(one.code)
    await servers[1].write(
        first_account, NewAccount(email="ada@example.com", password="x"), NewSite(cname="example.com"), NOW
    )
    assert not await one.needed()
    later = Setup(servers[0])
    await later.begin()
    assert later.code != one.code, "it is not kept"


async def test_a_keyed_change_is_carried_out_by_one_server_at_a_time(servers: tuple[Ledger, Ledger]) -> None:
    one, two = (OwnedCounters(ledger, InFlight()) for ledger in servers)
    request = KeyedRequest(b"digest of a request", b"fingerprint")
    begun, goes_on = threading.Event(), threading.Event()
    done = []

    def change(_session: Session, _asker: Asker) -> OwnedResult:
        done.append("once")
        begun.set()
        assert goes_on.wait(10)
        return OwnedResult(OwnedCounter(Key("example.com", "visits"), a_counter()))

    first = asyncio.create_task(one.change(Asker(), request, change))
    assert await asyncio.to_thread(begun.wait, 10)
    with pytest.raises(KeyInFlight):
        await two.change(Asker(), request, change)
    goes_on.set()
    await first
    assert (await two.change(Asker(), request, change)).replayed
    assert done == ["once"]


async def limits_of(ledgers: tuple[Ledger, Ledger], *rates: Rate) -> list[RateLimits]:
    """The limits of each server."""
    found = []
    for ledger in ledgers:
        limits, common = RateLimits(rates), CommonLimits(ledger)
        await common.begin()
        limits.hold_over_all(common)
        found.append(limits)
    return found


async def test_a_limit_over_all_counts_what_every_server_admits(servers: tuple[Ledger, Ledger]) -> None:
    one, two = await limits_of(servers, Rate("login", 3, 60), Rate("join", 1, 60), Rate("off", None, 60))
    somebody, somebody_else = ip_address("192.0.2.1"), ip_address("192.0.2.2")
    assert (await two.address_state_over_all("login", somebody)).left == 3
    admissions = [await limits.admit_address_over_all("login", somebody) for limits in (one, two, one, two)]
    assert [(each.admitted, each.left) for each in admissions] == [(True, 2), (True, 1), (True, 0), (False, 0)]
    assert all(59 < each.reset <= 60 for each in admissions)
    assert not (await one.address_state_over_all("login", somebody)).admitted
    assert (await one.admit_address_over_all("login", somebody_else)).admitted
    assert (await two.admit_over_all("login", ("account", 7))).admitted
    assert (await one.admit_address_over_all("join", somebody)).admitted, "another limit"
    assert all([(await one.admit_over_all("off", 1)).admitted for _ in range(5)])
    # At once: so many in any case.
    burst = await asyncio.gather(
        *(each.admit_over_all("login", ("account", 8)) for each in (one, two) for _ in range(4))
    )
    assert sorted(each.admitted for each in burst) == [False] * 5 + [True] * 3


async def test_a_browser_is_one_on_all_servers_where_its_window_is_long(servers: tuple[Ledger, Ledger]) -> None:
    one, two = await limits_of(servers, Rate("long", 2, 60), Rate("short", 2, 1), Rate("off", None, 60))
    for name in ("long", "short", "off") * 2:
        assert one.admit_browser(name, "192.0.2.1", b"Firefox").admitted
    for limits in (one, two):
        assert limits.common
        await limits.common.exchange()
    assert not two.admit_browser("long", "192.0.2.1", b"Firefox").admitted
    assert two.admit_browser("long", "192.0.2.1", None).admitted, "another browser"
    assert two.admit_browser("short", "192.0.2.1", b"Firefox").admitted, "each server counts by itself"


async def test_an_address_creates_in_a_minute_as_many_counters_as_on_one_server(
    servers: tuple[Ledger, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr("tallystick.web.rate_limit.time", SimpleNamespace(monotonic=lambda: clock.now))
    found = await limits_of(servers, CREATIONS._replace(amount=None))
    one, two = (CreationLimit(1, limits) for limits in found)
    somebody, somebody_else = ip_address("192.0.2.1"), ip_address("192.0.2.2")
    for limit in (one, two):
        limit.share()
    created = 0
    for _ in range(40):
        clock.now += 1.0
        created += sum(limit.admit(somebody, f"{created}.example.com") for limit in (one, two))
        for limits in (*found, found[0]):
            assert limits.common
            await limits.common.exchange()
    assert created == 60
    # The minute began with the first one, 39 seconds ago; the second of the newest one is over.
    clock.now += 0.5
    assert [limit.wait(somebody, "example.com") for limit in (one, two)] == [21, 21]
    assert one.wait(somebody_else, "example.com") == 1
    clock.now -= 0.5
    assert two.admit(somebody_else, "example.com")
    clock.now += 30.0
    assert two.admit(somebody, "example.com"), "a minute has passed"


async def test_networks_have_a_limit_over_all_servers_too(servers: tuple[Ledger, Ledger]) -> None:
    one, two = await limits_of(servers, Rate("login", 1, 60))
    customer = [ip_address(f"2001:db8:1:{number}::1") for number in range(WIDER + 1)]
    admitted = [
        (await limits.admit_address_over_all("login", address)).admitted
        for address, limits in zip(customer, (one, two, one, two, one), strict=True)
    ]
    assert admitted == [True] * WIDER + [False]
    assert not (await two.address_state_over_all("login", ip_address("2001:db8:1:ff::1"))).admitted
    assert (await two.address_state_over_all("login", ip_address("2001:db8:2::1"))).admitted


async def test_a_window_over_all_ends_and_is_removed(servers: tuple[Ledger, Ledger]) -> None:
    common, other = map(CommonLimits, servers)
    for each in (common, other):
        await each.begin()
    assert (await common.take("login", "x", 60, weight=2)).used == 0
    assert (await other.take("login", "x", 60)).used == 2
    await servers[0].write(lambda session: session.connection.execute("UPDATE limit_window SET ends = now()"))
    assert await other.state("login", "x", 60) == (0, 60)
    assert (await common.take("login", "x", 60)).used == 0
    assert (await other.take("login", "x", 60)).used == 1
    await servers[0].write(lambda session: session.connection.execute("UPDATE limit_window SET ends = now()"))
    await common.sweep()
    assert await servers[0].read(lambda session: session.connection.execute("TABLE limit_window").fetchall()) == []


async def test_no_address_is_stored_for_a_limit(servers: tuple[Ledger, Ledger]) -> None:
    (one, _) = await limits_of(servers, Rate("login", 3, 60))
    await one.admit_address_over_all("login", ip_address("192.0.2.1"))
    [(digest, *_)] = await servers[0].read(lambda session: session.connection.execute("TABLE limit_window").fetchall())
    assert digest != blake2b(repr(("login", (None, "192.0.2.1"))).encode(), digest_size=16).digest(), "it has a key"


async def test_without_the_database_each_server_counts_for_itself(
    servers: tuple[Ledger, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    (one, _) = await limits_of(servers, Rate("login", 1, 60))

    async def away(*_: object) -> object:
        msg = "gone"
        raise StoreAway(msg)

    monkeypatch.setattr(servers[0], "write", away)
    monkeypatch.setattr(servers[0], "read", away)
    delays = LoginDelays(servers[0], "login", CommonLimits(servers[0]))
    somebody = ip_address("192.0.2.1")
    assert (await one.address_state_over_all("login", somebody)).left == 1
    assert [(await one.admit_address_over_all("login", somebody)).admitted for _ in range(2)] == [True, False]
    assert [await delays.wait("ada@example.com", "there") for _ in range(FREE)] == [0.0] * FREE


async def test_guesses_at_one_password_are_delayed_by_all_servers(servers: tuple[Ledger, Ledger]) -> None:
    here, there = map(CommonLimits, servers)
    for common in (here, there):
        await common.begin()
    one, two = (LoginDelays(ledger, "login", common) for ledger, common in zip(servers, (here, there), strict=True))
    waits = [await delays.wait("Ada@example.com ", number) for number in range(FREE // 2) for delays in (one, two)]
    assert waits == [0.0] * FREE
    two.trust("ada@example.com", "at home")
    later = [await delays.wait("ada@example.com", "there") for delays in (one, two, one, two, one, two, one, two)]
    assert later[:2] == [0.0, pytest.approx(SPACING_S, abs=0.5)]
    assert later[-1] is None, "too many wait"
    assert not one.trusts("ada@example.com", "at home")
    await there.exchange()
    await here.exchange()
    assert await one.wait("ada@example.com", "at home") == await two.wait("ada@example.com", "at home") == 0.0
    assert await two.wait("bob@example.com", "there") == 0.0
    assert await LoginDelays(servers[0], "shared link", here).wait("ada@example.com", "there") == 0.0
    await CommonLimits(servers[0]).sweep()
    assert await one.wait("ada@example.com", "there") is None, "it is not forgotten yet"
    await servers[0].write(lambda session: session.connection.execute("UPDATE login_attempt SET last = last - 900"))
    assert await one.wait("ada@example.com", "there") == 0.0


async def exchanged(*servers: RateLimits) -> None:
    """Each reports, then each learns."""
    for limits in (*servers, *servers):
        assert limits.common is not None
        await limits.common.exchange()


async def test_other_limits_are_told_to_the_other_servers(servers: tuple[Ledger, Ledger]) -> None:
    one, two = await limits_of(servers, Rate("api", 4, 60), Rate("pixel", 4, 1), Rate("all", None, 60))
    somebody = ip_address("2001:db8:1:1::1")
    for _ in range(3):
        one.admit("api", 7)
        one.admit("pixel", 7)
        one.admit("all", 7)
        one.admit_address("api", somebody, "example.com")
    two.admit("api", 8)
    await exchanged(one, two)
    await exchanged(one, two)
    assert [(each.admitted, each.left) for each in (two.admit("api", 7), two.admit("api", 7))] == [
        (True, 0),
        (False, 0),
    ]
    assert one.admit("api", 8).left == 2
    assert two.admit("pixel", 7).left == 3, "it is over before others know"
    assert two.admit_address("api", somebody, "example.com").left == 0
    assert two.admit_address("api", somebody, "example.org").left == 3
    await exchanged(one, two)
    assert one.admit("api", 7).admitted is False
    assert one.admit_address("api", ip_address("2001:db8:1:2::1"), "example.com").left == 3, "another client"
    # Of the network 16 together: 5 so far.
    for number in range(11):
        assert two.admit_address("api", ip_address(f"2001:db8:1:f{number:x}::1"), "example.com").admitted
    await exchanged(one, two)
    assert not one.admit_address("api", ip_address("2001:db8:1:3::1"), "example.com").admitted


async def test_addresses_are_in_no_report(servers: tuple[Ledger, Ledger], monkeypatch: pytest.MonkeyPatch) -> None:
    (one, _) = await limits_of(servers, Rate("api", 4, 60), Rate("login", 4, 60))
    assert one.common is not None
    delays = LoginDelays(servers[0], "login", one.common)
    write = servers[0].write

    async def away(*_: object) -> object:
        msg = "gone"
        raise StoreAway(msg)

    monkeypatch.setattr(servers[0], "write", away)
    one.admit_address("api", ip_address("192.0.2.1"), "example.com")
    await one.admit_address_over_all("login", ip_address("192.0.2.1"))
    delays.trust("ada@example.com", "192.0.2.1")
    with pytest.raises(StoreAway):
        await one.common.exchange()
    monkeypatch.setattr(servers[0], "write", write)
    await one.common.exchange()
    [(*_, uses)] = await servers[0].read(lambda session: session.connection.execute("TABLE limit_report").fetchall())
    assert [limit for limit, _, _ in json.loads(uses)] == ["api", "login", "let in: login"], "nothing is lost"
    assert "192.0.2.1" not in uses
    assert "@" not in uses


async def test_a_sliding_window_learns_of_other_servers(servers: tuple[Ledger, Ledger]) -> None:
    one, two = await limits_of(servers, Rate("api", None, 60))
    here, there = SlidingWindows(3, 60, queue=0), SlidingWindows(3, 60, queue=0)
    one.share("sliding", here)
    two.share("sliding", there)
    assert here.enter_at_once(7)
    assert here.enter_at_once(7)
    await exchanged(one, two)
    last = there.enter_at_once(7)
    assert last is not None
    assert last.left == 0
    assert there.enter_at_once(7) is None
    await exchanged(one, two)
    assert here.enter_at_once(7) is None
    assert here.refusal(7).wait == 60


async def test_reports_are_read_once_and_removed(servers: tuple[Ledger, Ledger]) -> None:
    learned: list[tuple[object, int]] = []
    here, there = map(CommonLimits, servers)
    note = here.share("api", lambda _key, _weight: None)
    there.share("api", lambda key, weight: learned.append((key, weight)))
    note(7, 2)
    note(7, 1)
    note(None, 5)
    for _ in range(3):
        await here.exchange()
        await there.exchange()
    assert learned == [(7, 3), (None, 5)]
    await servers[0].write(
        lambda session: session.connection.execute("UPDATE limit_report SET made = now() - '1m'::interval")
    )
    await there.sweep()
    assert await servers[0].read(lambda session: session.connection.execute("TABLE limit_report").fetchall()) == []
