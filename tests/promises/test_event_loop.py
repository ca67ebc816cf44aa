"""The event loop is never held up by our own code: every asynchronous test is watched."""

import asyncio

import pytest
from blockbuster import BlockingError

from builders import NOW, a_key
from tallystick.ledger import Database, Ledger
from tallystick.ledger.folding import CounterWrite, operate
from tallystick.model.counter import HIT


async def test_a_blocking_call_on_the_event_loop_fails_its_test(database: Database, ledger: Ledger) -> None:
    session = await asyncio.to_thread(database.session)
    with pytest.raises(BlockingError):
        operate(database, session, [CounterWrite(a_key(), HIT)], NOW)
    [outcome] = await asyncio.to_thread(operate, database, session, [CounterWrite(a_key(), HIT)], NOW)
    assert outcome.value == 1
    await asyncio.to_thread(session.close)
    assert (await ledger.count(a_key(), HIT)).value == 2
