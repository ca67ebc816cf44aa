import asyncio

from tallystick.ledger import Ledger
from tallystick.model.counter import HIT
from tallystick.model.key import Key


async def test_concurrent_hits_return_every_number_once(ledger: Ledger) -> None:
    outcomes = await asyncio.gather(*(ledger.count(Key("page", "hot"), HIT) for _ in range(2000)))
    assert [outcome.value for outcome in outcomes] == list(range(1, 2001))
