"""Pages on a ledger of their own, and passwords that do not slow the tests down."""

from collections.abc import AsyncIterator

import pytest

from support.ledgers import opened
from support.pages import Pages
from tallystick.ledger import Database, Ledger


@pytest.fixture(autouse=True)
def _quick_passwords(quick_passwords: None) -> None:
    """People log in everywhere."""


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    """One whose clock tests move (``clock_of``)."""
    async with opened(database) as ledger:
        yield ledger


@pytest.fixture
def pages(ledger: Ledger) -> Pages:
    """Pages as a new server has them."""
    return Pages(ledger)
