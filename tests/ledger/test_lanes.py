"""Lanes: stored with each counter, and on a database of lanes one transaction each."""

import asyncio
from contextlib import closing
from typing import Any

from builders import a_key
from tallystick.ledger import Database, Ledger
from tallystick.ledger.folding import CounterWrite, transactions
from tallystick.model.counter import HIT
from tallystick.model.key import LANES, Key, lane_of

KEYS = [a_key(f"page-{number}") for number in range(100)]
WANTED = [CounterWrite(key, HIT) for key in KEYS * 2]


def test_a_transaction_of_a_database_of_lanes_is_one_lane_in_order() -> None:
    lanes = [list(lane) for lane in transactions(WANTED, lanes_alone=True)]
    assert len(lanes) == LANES
    for lane in lanes:
        number = lane[0].lane
        assert lane == [wanted for wanted in WANTED if lane_of(wanted.key) == number]


def test_elsewhere_everything_is_one_transaction() -> None:
    assert list(transactions(WANTED, lanes_alone=False)) == [WANTED]
    assert list(transactions([], lanes_alone=False)) == []
    assert list(transactions([], lanes_alone=True)) == []


async def test_each_counter_is_stored_in_its_lane(ledger: Ledger, database: Database) -> None:
    await asyncio.gather(*(ledger.count(key, HIT) for key in KEYS))
    assert await asyncio.to_thread(_stored, database) == {key: lane_of(key) for key in KEYS}


def _stored(database: Database) -> dict[Key, int]:
    session: Any = database.session()
    with closing(session):
        rows = session.connection.execute("SELECT lane, namespace, key FROM counter").fetchall()
    return {Key(namespace, key): lane for lane, namespace, key in rows}
