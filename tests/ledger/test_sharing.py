"""Several servers, and the command line, on one database."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from builders import NOW, a_counter, a_key
from support.ledgers import opened, totals
from tallystick.ledger import Database, Ledger, Totals
from tallystick.ledger.folding import CounterWrite, operate
from tallystick.model.counter import HIT, Add, Create, Delete, Operation, Outcome, Put, RefusalReason, Set
from tallystick.model.key import Key


async def elsewhere(database: Database, key: Key, *operations: Operation) -> list[Outcome]:
    """Carry out operations as the command line does: on a connection of its own."""

    def work() -> list[Outcome]:
        session = database.session()
        try:
            return operate(database, session, [CounterWrite(key, operation) for operation in operations], NOW)
        finally:
            session.close()

    return await asyncio.to_thread(work)


@pytest.mark.parametrize(
    ("operation", "next_value"),
    [(Set(50, forced=True), 51), (Delete(), 1), (Put(a_counter(9), replaces=True), 10), (HIT, 4)],
)
async def test_a_server_notices_what_another_session_wrote(
    ledger: Ledger, database: Database, operation: Operation, next_value: int
) -> None:
    for _ in range(2):
        await ledger.count(a_key(), HIT)
    [outcome] = await elsewhere(database, a_key(), operation)
    assert outcome.refused is None
    assert (await ledger.count(a_key(), HIT)).value == next_value


async def test_a_server_notices_a_counter_that_another_session_made(ledger: Ledger, database: Database) -> None:
    assert (await ledger.count(a_key(), Add(1))).refused is RefusalReason.MISSING
    await elsewhere(database, a_key(), Create(5))
    assert (await ledger.count(a_key(), HIT)).value == 6


COUNT_ONCE = """
import sys
from pathlib import Path
from tallystick.ledger import open_database
from tallystick.ledger.folding import CounterWrite, operate
from tallystick.model.counter import HIT
from tallystick.model.key import Key
database = open_database(sys.argv[1] or None, Path(sys.argv[2]))
session = database.session()
for _ in range(3):
    operate(database, session, [CounterWrite(Key("example.com", "visits"), HIT)], int(sys.argv[3]))
session.close()
"""


async def test_a_server_notices_what_another_process_wrote(
    ledger: Ledger, ledger_url: str | None, tmp_path: Path
) -> None:
    assert (await ledger.count(a_key(), HIT)).value == 1
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", COUNT_ONCE, ledger_url or "", str(tmp_path), str(NOW)
    )
    assert await process.wait() == 0
    assert (await ledger.count(a_key(), HIT)).value == 5
    assert await totals(ledger) == Totals(keys_created=1, keys_updated=5, requests=2)


async def test_two_ledgers_on_one_database_count_exactly(database: Database) -> None:
    keys = [a_key(f"page-{number}") for number in range(20)]
    async with opened(database) as one, opened(database) as another:

        async def hammer(ledger: Ledger, order: Sequence[Key]) -> list[tuple[Key, int | None]]:
            counted = []
            for _ in range(5):
                outcomes = await asyncio.gather(*(ledger.count(key, HIT) for key in order))
                counted += [(key, outcome.value) for key, outcome in zip(order, outcomes, strict=True)]
            return counted

        counted = await asyncio.gather(hammer(one, keys), hammer(another, keys[::-1]), hammer(one, keys[::2]))
        assert sorted(value for values in counted for value in values) == sorted(
            (key, value) for index, key in enumerate(keys) for value in range(1, 11 if index % 2 else 16)
        )
        assert await totals(one) == Totals(keys_created=20, keys_updated=250, requests=250)
        assert await totals(another) == await totals(one)


async def test_only_one_of_several_servers_creates_a_counter(database: Database) -> None:
    keys = [a_key(f"page-{number}") for number in range(30)]
    async with opened(database) as one, opened(database) as two, opened(database) as three:
        outcomes = await asyncio.gather(
            *(ledger.count(key, Create(value)) for value, ledger in enumerate((one, two, three)) for key in keys)
        )
        for number, key in enumerate(keys):
            tried = outcomes[number :: len(keys)]
            [made] = [outcome for outcome in tried if outcome.created]
            assert [outcome.refused for outcome in tried if not outcome.created] == [RefusalReason.EXISTS] * 2
            counter = await one.find(key)
            assert counter is not None
            assert counter.value == made.value
        assert (await totals(one)).keys_created == 30
