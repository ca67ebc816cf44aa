"""What several servers on one PostgreSQL know together: two ledgers stand for two servers."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from builders import NOW, a_counter
from support.ledgers import opened
from tallystick.errors import KeyInFlight
from tallystick.ledger import Ledger, Session, open_database
from tallystick.model.key import Key
from tallystick.services.accounts.accounts import NewAccount
from tallystick.services.accounts.setup import Setup, first_account
from tallystick.services.accounts.sites import NewSite
from tallystick.services.accounts.tickets import MemoryTickets, Ticket, TooManyTickets, tickets_of
from tallystick.services.counting.owned.changing import OwnedResult
from tallystick.services.counting.owned.proving import Asker
from tallystick.services.counting.owned.rows import OwnedCounter
from tallystick.services.counting.owned.service import OwnedCounters
from tallystick.services.idempotency import InFlight, KeyedRequest

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
