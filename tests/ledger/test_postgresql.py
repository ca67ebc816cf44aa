"""What can only happen where several servers write at once, and where the database is another process."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import LiteralString

import psycopg
import pytest
from psycopg import errors as pg

from builders import NOW, a_counter, a_key
from support.ledgers import gate_of, opened, until
from support.postgres import Postgres
from tallystick.errors import StoreAway, StoreFailed, StoreUnavailable
from tallystick.ledger import Ledger, Session, Totals
from tallystick.ledger.folding import CounterWrite, fold, operate
from tallystick.ledger.postgresql import PostgresqlDatabase, PostgresqlSession
from tallystick.model.counter import HIT, Counter, Create, Delete, Outcome
from tallystick.model.key import Key, lane_of

ONE, TWO, THREE = [key for key in (a_key(f"page-{number}") for number in range(100)) if lane_of(key) == 0][:3]


@pytest.fixture
def database(postgres: Postgres) -> Iterator[PostgresqlDatabase]:
    with postgres.fresh_database(migrated=True) as url:
        yield PostgresqlDatabase(url)


@pytest.fixture
def session(database: PostgresqlDatabase) -> Iterator[PostgresqlSession]:
    session = database.session()
    yield session
    session.close()


def after_the_first_load(session: PostgresqlSession, happening: Callable[[], object]) -> None:
    """Let something happen between a batch's look at its counters and its changes."""
    load = session.load

    def loading(keys: Iterable[Key]) -> dict[Key, Counter]:
        loaded = load(keys)
        session.load = load  # type: ignore[method-assign]  # only once
        happening()
        return loaded

    session.load = loading  # type: ignore[method-assign]


def elsewhere(database: PostgresqlDatabase, *wanted: CounterWrite) -> list[Outcome]:
    session = database.session()
    try:
        return operate(database, session, wanted, NOW)
    finally:
        session.close()


def test_a_creation_that_loses_the_race_is_run_again(database: PostgresqlDatabase, session: PostgresqlSession) -> None:
    after_the_first_load(session, lambda: elsewhere(database, CounterWrite(TWO, HIT)))
    outcomes = operate(database, session, [CounterWrite(key, HIT) for key in (ONE, TWO, THREE, TWO)], NOW)
    assert [outcome.value for outcome in outcomes] == [1, 2, 1, 3]
    assert session.totals() == Totals(keys_created=3, keys_updated=5)


def test_admission_is_not_asked_for_again_when_a_batch_is_run_again(
    database: PostgresqlDatabase, session: PostgresqlSession
) -> None:
    asked: list[Key] = []

    def admit(key: Key) -> Callable[[], bool]:
        return lambda: asked.append(key) or key != THREE  # type: ignore[func-returns-value]

    after_the_first_load(session, lambda: elsewhere(database, CounterWrite(TWO, HIT)))
    wanted = [CounterWrite(key, HIT, admit(key)) for key in (ONE, TWO, THREE)]
    outcomes = operate(database, session, wanted, NOW)
    assert [outcome.value for outcome in outcomes] == [1, 2, None]
    assert asked == [ONE, TWO, THREE]


def test_a_counter_made_and_deleted_in_one_batch_leaves_another_servers_alone(
    database: PostgresqlDatabase, session: PostgresqlSession
) -> None:
    after_the_first_load(session, lambda: elsewhere(database, CounterWrite(ONE, Create(5))))
    operate(database, session, [CounterWrite(ONE, Create()), CounterWrite(ONE, Delete())], NOW)
    assert session.find([ONE])[ONE].value == 5


def test_a_batch_that_always_loses_the_race_gives_up(database: PostgresqlDatabase, session: PostgresqlSession) -> None:
    session.load = lambda keys: {}  # type: ignore[method-assign]  # noqa: ARG005  # never sees what is there
    elsewhere(database, CounterWrite(ONE, HIT))
    with pytest.raises(StoreFailed):
        operate(database, session, [CounterWrite(ONE, HIT)], NOW)
    assert session.find([ONE])[ONE].value == 1


async def test_a_write_that_loses_the_race_is_run_again(database: PostgresqlDatabase) -> None:
    runs = []

    def racing(session: Session) -> list[int | None]:
        runs.append(session)
        if len(runs) == 1:
            assert isinstance(session, PostgresqlSession)
            after_the_first_load(session, lambda: elsewhere(database, CounterWrite(ONE, HIT)))
        return [outcome.value for outcome in fold(session, [CounterWrite(ONE, HIT)], NOW).outcomes]

    async with opened(database) as ledger:
        assert await ledger.write(racing) == [2]
    assert len(runs) == 2


@pytest.mark.parametrize("swallowed", ["SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1/0"])
def test_a_lost_transaction_is_no_commit(session: PostgresqlSession, swallowed: str) -> None:
    def save_and_swallow() -> None:
        with session.transaction():
            session.save({ONE: a_counter()}, {})
            with suppress(pg.AdminShutdown, pg.DivisionByZero):
                session.connection.execute(swallowed.encode())

    with pytest.raises(StoreUnavailable):
        save_and_swallow()


async def test_a_write_that_loses_the_connection_fails_its_whole_batch(database: PostgresqlDatabase) -> None:
    def lose_the_connection(session: Session) -> None:
        assert isinstance(session, PostgresqlSession)
        session.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    def save(session: Session, key: Key) -> None:
        session.save({key: a_counter()}, {})

    gate = gate_of(database)
    async with opened(database) as ledger:
        gate.close()
        first = asyncio.create_task(ledger.write(save, TWO))
        await gate.until_held()
        batch = [
            asyncio.create_task(write)
            for write in (ledger.write(save, ONE), ledger.write(lose_the_connection), ledger.write(save, THREE))
        ]
        await until(lambda: ledger.waiting == len(batch))
        gate.open()
        await first
        results = await asyncio.gather(*batch, return_exceptions=True)
        assert [type(result) for result in results] == [StoreAway] * 3
        assert await ledger.read(lambda session: session.find([ONE, TWO, THREE])) == {TWO: a_counter()}
        assert (await ledger.count(ONE, HIT)).value == 1


LANE_0 = sorted(key for key in (a_key(f"Page.{number}") for number in range(500)) if lane_of(key) == 0)


@pytest.mark.parametrize("counters_exist", [True, False])
async def test_servers_take_counters_in_one_order_whatever_order_they_are_asked_in(
    database: PostgresqlDatabase, *, counters_exist: bool
) -> None:
    in_the_middle = LANE_0[len(LANE_0) // 2]
    holding = await asyncio.to_thread(database.session)
    async with opened(database) as one, opened(database) as another:

        async def count(ledger: Ledger, keys: list[Key]) -> list[int | None]:
            return [outcome.value for outcome in await asyncio.gather(*(ledger.count(key, HIT) for key in keys))]

        if counters_exist:
            await count(one, LANE_0)
        with suppress(Rollback), holding.transaction():
            # Both servers come as far as this counter and wait, holding whatever they took before it.
            fold(holding, [CounterWrite(in_the_middle, HIT)], NOW)
            counting = [asyncio.create_task(count(one, LANE_0)), asyncio.create_task(count(another, LANE_0[::-1]))]
            await until(lambda: _waiting_for_locks(database) == 2)
            raise Rollback
        values = [await counted for counted in counting]
        first = 2 if counters_exist else 1
        assert sorted(values) == [[first] * len(LANE_0), [first + 1] * len(LANE_0)]
    await asyncio.to_thread(holding.close)
    assert _asked(database, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


class Rollback(Exception):
    """Undoes what a test held."""


def _waiting_for_locks(database: PostgresqlDatabase) -> int:
    return _asked(
        database,
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND state = 'active' AND wait_event_type = 'Lock'",
    )


def _asked(database: PostgresqlDatabase, question: LiteralString) -> int:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute(question).fetchone()
    assert row is not None
    return int(row[0])
