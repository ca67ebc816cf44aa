"""Live connections for tests, without a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

from support.ledgers import WITHIN_S, until
from tallystick.ledger import Ledger
from tallystick.live.hub import Subscription
from tallystick.model.account import Account, Permission
from tallystick.model.change import Change
from tallystick.services.following import Following
from tallystick.services.sharing.changes import last_change
from tallystick.services.tokens import NewToken, create_token

UTC = ZoneInfo("UTC")


@asynccontextmanager
async def followed(ledger: Ledger) -> AsyncIterator[Following]:
    """Somebody who follows a ledger's changes."""
    following = Following(ledger)
    following.start()
    try:
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
