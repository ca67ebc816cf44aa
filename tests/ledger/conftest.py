"""The ledger's tests run on a clock of their own, and on both databases."""

from collections.abc import AsyncIterator

import pytest

from support.ledgers import Clock, Gate, gate_of, opened
from tallystick.ledger import Database, Ledger


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(database: Database) -> Gate:
    """Holds or fails the commits of ``database``; ask for it before the ledger."""
    return gate_of(database)


@pytest.fixture
async def ledger(database: Database, clock: Clock) -> AsyncIterator[Ledger]:
    """An open ledger on either database."""
    async with opened(database, clock) as ledger:
        yield ledger
