"""Live connections for tests, without a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from support.ledgers import WITHIN_S, Clock, until
from tallystick.hub.hub import Subscription
from tallystick.ledger import Ledger
from tallystick.model.account import Account, Permission
from tallystick.model.change import Change
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.accounts.tokens import NewToken, create_token
from tallystick.services.feed.following import Following
from tallystick.services.feed.resuming import Resumed
from tallystick.services.sharing import invites
from tallystick.services.sharing.changes import last_change
from tallystick.services.sharing.service import Sharing
from tallystick.tasks import BackgroundTasks

UTC = ZoneInfo("UTC")


@asynccontextmanager
async def followed(ledger: Ledger) -> AsyncIterator[Following]:
    """Somebody who follows a ledger's changes."""
    following = Following(ledger)
    following.start()
    try:
        async with BackgroundTasks(following.tasks()):
            yield following
    finally:
        await following.close()


async def listening(
    following: Following, ledger: Ledger, person: Account, zone: ZoneInfo = UTC, token: int | None = None
) -> Subscription:
    """A live connection of a person; opened with a new token if none is given."""
    return await following.subscribe(person.id, token or await a_counter_token(ledger, person), zone)


async def a_counter_token(ledger: Ledger, owner: Account, permissions: Permission = Permission.COUNTERS_READ) -> int:
    """The id of a token."""
    token, _ = await ledger.write(create_token, owner, NewToken(name="a phone", permissions=permissions, sites=()), 0)
    return token.id


async def told(subscription: Subscription, amount: int = 1) -> list[Change]:
    """The next so many changes."""
    async with asyncio.timeout(WITHIN_S):
        return [await subscription.next() for _ in range(amount)]


async def caught_up(following: Following, ledger: Ledger) -> None:
    """Return when everything that is committed was told."""
    newest = await ledger.read(last_change)
    await until(lambda: following.position >= newest)


async def rest_of(subscription: Subscription, at_most: int = 1_000_000) -> list[Change]:
    """What a subscription has to tell now."""
    found: list[Change] = []
    while len(found) < at_most:
        try:
            async with asyncio.timeout(0):
                found.append(await subscription.next())
        except TimeoutError:
            break
    return found


class Scene:
    """Ada shares a counter with Ben, or is about to.

    Attributes:
        write: what people do; who follows is not woken, and finds it all the same.
    """

    def __init__(self, ledger: Ledger, clock: Clock, following: Following, ada: Account, visits: SharedCounter) -> None:
        self.ledger, self.clock, self.following, self.ada, self.visits = ledger, clock, following, ada, visits
        self.write = Sharing(ledger, lambda: None).write

    async def missed_by(self, person: Account, offset: int) -> Resumed:
        return await self.following.resume(person.id, self.following.epoch, offset)


async def let_in(ledger: Ledger, counter: SharedCounter, owner: Account, person: Account) -> None:
    """A person accepts an invite."""
    write = Sharing(ledger, lambda: None).write
    _, code = await write(invites.create, owner.id, counter.uid, invites.NewInvite(), ledger.clock())
    await write(invites.accept, person.id, code, ledger.clock())


def brief(changes: list[Change]) -> list[tuple[int, str, int | None]]:
    return [(each.number, each.kind, each.value) for each in changes]


async def hold(following: Following, ledger: Ledger, held: object, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Keep who follows from reading with a function until the event is set; what was read before has been told."""
    read, let_go, waiting = ledger.read, asyncio.Event(), [held]

    async def later(function: Any, *arguments: Any) -> Any:
        if function in waiting:
            waiting.clear()
            await let_go.wait()
        return await read(function, *arguments)

    monkeypatch.setattr(ledger, "read", later)
    following.wake()
    await until(lambda: not waiting)
    return let_go
