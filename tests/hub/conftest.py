"""Someone follows a ledger on either database, and Ada has a counter."""

from collections.abc import AsyncIterator

import pytest

from support.ledgers import Clock, opened
from support.live import Scene, followed
from support.sharing import a_counter, someone
from tallystick.ledger import Database, Ledger
from tallystick.model.account import Account
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.feed import following as followings
from tallystick.services.feed.following import Following


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(database: Database, clock: Clock) -> AsyncIterator[Ledger]:
    async with opened(database, clock) as ledger:
        yield ledger


@pytest.fixture
async def following(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Following]:
    # Whoever tests that nobody has to wait for the look sets it back.
    monkeypatch.setattr(followings, "LOOKED_EVERY_S", 0.02)
    async with followed(ledger) as following:
        yield following


@pytest.fixture
async def ada(ledger: Ledger) -> Account:
    return await someone(ledger, "Ada")


@pytest.fixture
async def ben(ledger: Ledger) -> Account:
    return await someone(ledger, "Ben")


@pytest.fixture
async def visits(ledger: Ledger, ada: Account) -> SharedCounter:
    return await a_counter(ledger, ada)


@pytest.fixture
async def scene(ledger: Ledger, clock: Clock, following: Following, ada: Account, visits: SharedCounter) -> Scene:
    return Scene(ledger, clock, following, ada, visits)
