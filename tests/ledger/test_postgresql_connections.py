"""Connections to PostgreSQL: its defaults do not weaken our promises, it cannot hold us up, and passwords stay ours."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict

from builders import NOW, a_key
from support.ledgers import opened, until
from support.postgres import Postgres, free_port
from tallystick.errors import DatabaseAway, DatabaseUnreachable, InvalidSetting, StoreAway, StoreBusy
from tallystick.ledger import Ledger, lanes, postgresql
from tallystick.ledger.database import Durability
from tallystick.ledger.folding import CounterWrite, operate
from tallystick.ledger.postgresql import MIGRATION_LOCK, PostgresqlDatabase, PostgresqlSession
from tallystick.model.counter import HIT
from tallystick.model.key import Key, lane_of

ONE, TWO = [key for key in (a_key(f"page-{number}") for number in range(100)) if lane_of(key) == 0][:2]


@pytest.fixture
def database(postgres: Postgres) -> Iterator[PostgresqlDatabase]:
    with postgres.fresh_database(migrated=True) as url:
        yield PostgresqlDatabase(url)


@pytest.fixture
def session(database: PostgresqlDatabase) -> Iterator[PostgresqlSession]:
    with closing(database.session()) as session:
        yield session


def by_default(database: PostgresqlDatabase, setting: str, value: str) -> None:
    """Give the database's later connections another default."""
    name = conninfo_to_dict(database.url)["dbname"]
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'".encode())


def setting_of(session: PostgresqlSession, name: str) -> str:
    [value] = session.connection.execute(f"SHOW {name}".encode()).fetchone() or [""]
    return str(value)


def hit(database: PostgresqlDatabase, session: PostgresqlSession, *keys: Key) -> list[int | None]:
    return [outcome.value for outcome in operate(database, session, [CounterWrite(key, HIT) for key in keys], NOW)]


@pytest.mark.parametrize(
    ("durability", "default", "in_force"),
    [
        ("full", "off", "on"),
        ("full", "on", "on"),
        ("full", "local", "local"),
        ("full", "remote_write", "remote_write"),
        ("full", "remote_apply", "remote_apply"),
        ("relaxed", "remote_apply", "off"),
    ],
)
def test_full_durability_is_at_least_a_local_sync(
    database: PostgresqlDatabase, durability: Durability, default: str, in_force: str
) -> None:
    by_default(database, "synchronous_commit", default)
    with closing(PostgresqlDatabase(database.url, durability).session(writes=True)) as session:
        assert setting_of(session, "synchronous_commit") == in_force
        with session.transaction():
            assert setting_of(session, "synchronous_commit") == in_force


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_servers_count_exactly_whatever_isolation_is_the_default(
    database: PostgresqlDatabase, level: str
) -> None:
    await asyncio.to_thread(by_default, database, "default_transaction_isolation", level)
    async with opened(database) as one, opened(database) as another:
        outcomes = [await asyncio.gather(one.count(ONE, HIT), another.count(ONE, HIT)) for _ in range(100)]
    assert sorted(outcome.value or 0 for pair in outcomes for outcome in pair) == list(range(1, 201))


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_transactions_choose_their_isolation_themselves(database: PostgresqlDatabase, level: str) -> None:
    by_default(database, "default_transaction_isolation", level)
    with closing(database.session()) as session:
        with session.transaction():
            assert setting_of(session, "transaction_isolation") == "read committed"
        with session.snapshot():
            assert setting_of(session, "transaction_isolation") == "repeatable read"
            assert setting_of(session, "transaction_read_only") == "on"


def test_a_read_only_default_is_told_and_not_overridden(database: PostgresqlDatabase) -> None:
    by_default(database, "default_transaction_read_only", "on")
    with closing(database.session(writes=True)) as session:
        with pytest.raises(StoreBusy, match="not ready to write"):
            hit(database, session, ONE)
        with session.snapshot():
            assert session.find([ONE]) == {}


def before_the_first_load(session: PostgresqlSession, happening: Callable[[], object]) -> list[int]:
    """Let something happen in a batch's transaction; answers a list that grows with each try."""
    load, tries = session.load, []

    def loading(keys: Iterable[Key]) -> dict[Key, Any]:
        tries.append(1)
        if len(tries) == 1:
            happening()
        return load(keys)

    session.load = loading  # type: ignore[method-assign]
    return tries


def test_a_transaction_that_cannot_be_serialized_is_run_again(
    database: PostgresqlDatabase, session: PostgresqlSession
) -> None:
    hit(database, session, ONE)
    session.connection.isolation_level = IsolationLevel.REPEATABLE_READ

    def count_elsewhere() -> None:
        session.connection.execute("SELECT 1")  # takes the snapshot
        with closing(database.session()) as other:
            hit(database, other, ONE)

    tries = before_the_first_load(session, count_elsewhere)
    assert hit(database, session, ONE) == [3]
    assert len(tries) == 2


def waits_for_a_lock(database: PostgresqlDatabase, for_ms: int = 0) -> bool:
    with psycopg.connect(database.url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_locks WHERE NOT granted AND now() - waitstart > %s * interval '1 ms'"
            " AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())",
            (for_ms,),
        )
        return found.fetchone() is not None


def holding(database: PostgresqlDatabase, statement: str) -> psycopg.Connection[Any]:
    """A connection that keeps the locks which a statement takes."""
    connection = psycopg.connect(database.url)
    connection.execute(statement.encode())
    return connection


def test_a_deadlock_is_run_again(database: PostgresqlDatabase, session: PostgresqlSession) -> None:
    hit(database, session, ONE, TWO)
    with closing(database.session()) as other, ThreadPoolExecutor() as pool:
        # The product never locks in this order; another program on the database might.
        other.connection.execute("SET deadlock_timeout = '60s'")
        session.connection.execute("SET deadlock_timeout = '10ms'")

        def lock_both() -> None:
            other.load([ONE])
            other.connection.execute("COMMIT")

        def cross() -> None:
            session.load([ONE])
            other.connection.execute("BEGIN")
            other.load([TWO])
            crossing.append(pool.submit(lock_both))
            asyncio.run(until(lambda: waits_for_a_lock(database)))

        crossing: list[Any] = []
        tries = before_the_first_load(session, cross)
        assert hit(database, session, TWO) == [2]
        assert len(tries) > 1
        crossing[0].result()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("lock_timeout", "5s"), ("statement_timeout", "15s"), ("idle_in_transaction_session_timeout", "5s")],
)
@pytest.mark.parametrize("writes", [False, True])
def test_no_statement_waits_for_ever(database: PostgresqlDatabase, setting: str, value: str, *, writes: bool) -> None:
    with closing(database.session(writes=writes)) as session:
        assert setting_of(session, setting) == value


async def test_a_lock_that_is_not_released_refuses_the_batch(
    database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "LOCK_TIMEOUT_MS", 20)
    async with opened(database) as ledger:
        await ledger.count(ONE, HIT)
        holder = await asyncio.to_thread(holding, database, "SELECT 1 FROM counter FOR UPDATE")
        with pytest.raises(StoreBusy, match="the database is slow"):
            await ledger.count(ONE, HIT)
        await asyncio.to_thread(holder.close)
        assert (await ledger.count(ONE, HIT)).value == 2


async def test_a_read_that_takes_too_long_is_refused(
    database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(session: Any) -> None:
        session.connection.execute("SELECT pg_sleep(100)")

    monkeypatch.setattr(postgresql, "STATEMENT_TIMEOUT_MS", 400)
    async with opened(database) as ledger:
        with pytest.raises(StoreBusy, match="the database is slow"):
            await ledger.read(sleep)
        holder = await asyncio.to_thread(holding, database, "LOCK TABLE counter")
        with pytest.raises(StoreBusy, match="the database is slow"):
            await ledger.find(ONE)
        await asyncio.to_thread(holder.close)
        assert await ledger.find(ONE) is None


def test_work_that_grows_with_the_ledger_may_take_its_time(
    database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "STATEMENT_TIMEOUT_MS", 200)
    with closing(database.session()) as session:
        with session.snapshot():
            session.size()
            session.connection.execute("SELECT pg_sleep(0.3)")
        with session.snapshot():
            session.listing(None, NOW, 1)
            session.connection.execute("SELECT pg_sleep(0.3)")
        assert setting_of(session, "statement_timeout") == "200ms"


async def test_a_start_waits_for_a_long_migration(
    database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "LOCK_TIMEOUT_MS", 20)
    monkeypatch.setattr(postgresql, "STATEMENT_TIMEOUT_MS", 200)
    migrating = await asyncio.to_thread(holding, database, f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    starting = asyncio.create_task(asyncio.to_thread(database.migrate))
    await until(lambda: starting.done() or asyncio.to_thread(waits_for_a_lock, database, 300))
    assert not starting.done()
    await asyncio.to_thread(migrating.close)
    await starting


def test_a_peer_that_is_gone_is_noticed(database: PostgresqlDatabase) -> None:
    with closing(database.session()) as session:
        told = session.connection.info.get_parameters()
    assert {name: told[name] for name in ("keepalives_idle", "keepalives_interval", "keepalives_count")} == {
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
    }
    assert (told["tcp_user_timeout"], told["connect_timeout"]) == ("15000", "10")


@pytest.fixture(scope="module")
def postgres_with_a_port() -> Iterator[Postgres]:
    with Postgres.started(free_port()) as server:
        yield server


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "15000"),
    ],
)
def test_postgresql_notices_that_a_server_of_ours_is_gone(
    postgres_with_a_port: Postgres, setting: str, value: str
) -> None:
    database = PostgresqlDatabase(postgres_with_a_port.tcp_url("postgres"))
    with closing(database.session()) as session:
        assert setting_of(session, setting) == value


async def test_what_a_frozen_server_holds_is_free_soon_and_it_counts_nothing_when_it_goes_on(
    database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "IDLE_TIMEOUT_MS", 200)
    async with opened(database) as frozen, opened(database) as other:
        assert (await frozen.count(ONE, HIT)).value == 1
        held, go_on = Event(), Event()

        def freeze(session: PostgresqlSession) -> None:
            session.load([ONE])
            held.set()
            assert go_on.wait(20)
            session.connection.execute("SELECT 1")

        writing = asyncio.create_task(frozen.write(freeze))
        await asyncio.to_thread(held.wait, 20)
        assert (await other.count(ONE, HIT)).value == 2
        go_on.set()
        with pytest.raises(StoreAway):
            await writing
        assert (await frozen.count(ONE, HIT)).value == 3


def test_a_copy_of_the_ledger_may_pause(database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "IDLE_TIMEOUT_MS", 50)
    with closing(database.session()) as session, session.snapshot():
        session.take_pauses()
        time.sleep(0.2)
        assert session.size() == 0


async def test_a_read_is_tried_once_more_when_its_connection_is_lost(database: PostgresqlDatabase) -> None:
    async with opened(database) as ledger:
        await ledger.count(ONE, HIT)
        for _ in range(4):  # on both threads
            await ledger.read(lambda session: session.size())
        assert await ledger.find(ONE)
        await asyncio.to_thread(end_connections, database)
        for _ in range(4):
            assert await ledger.read(lambda session: session.size()) == 1
        found = await ledger.find(ONE)
        assert found is not None
        assert found.value == 1


def end_connections(database: PostgresqlDatabase) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class TestLanes:
    """Whether every lane is free, which ``/health/ready`` tells."""

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT 1 FROM counting_total WHERE lane = 0 FOR UPDATE",
            "SELECT 1 FROM sequence FOR UPDATE",
            "LOCK TABLE counting_total IN EXCLUSIVE MODE",
        ],
    )
    async def test_one_that_another_program_holds_is_not(
        self, database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch, statement: str
    ) -> None:
        monkeypatch.setattr(lanes, "STUCK_AFTER_S", 0.2)
        monkeypatch.setattr(postgresql, "LOCK_TIMEOUT_MS", 100)
        async with opened(database) as ledger:
            await ledger.count(ONE, HIT)
            await ledger.write(lambda session: session.take_numbers("path"))
            assert await ledger.lanes_free()
            holder = await asyncio.to_thread(holding, database, statement)
            monkeypatch.setattr(lanes, "FRESH_S", 0)
            assert not await free(ledger)
            await asyncio.to_thread(holder.close)
            assert await ledger.lanes_free()

    async def test_one_with_a_counter_that_was_refused_is_not_until_it_can_be_changed(
        self, database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lanes, "STUCK_AFTER_S", 0.2)
        monkeypatch.setattr(postgresql, "LOCK_TIMEOUT_MS", 20)
        async with opened(database) as ledger:
            await ledger.count(ONE, HIT)
            await ledger.count(TWO, HIT)
            holder = await asyncio.to_thread(
                holding, database, f"SELECT 1 FROM counter WHERE key = '{ONE.key}' FOR UPDATE"
            )
            with pytest.raises(StoreBusy):
                await ledger.count(ONE, HIT)
            await ledger.count(TWO, HIT)  # of the same lane
            assert not await ledger.lanes_free()
            await asyncio.to_thread(holder.close)
            assert await ledger.lanes_free()
            assert not any(writer.refused for writer in ledger.measurements)

    async def test_all_are_while_servers_count_as_fast_as_they_can(
        self, database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lanes, "STUCK_AFTER_S", 0.5)
        monkeypatch.setattr(lanes, "FRESH_S", 0)
        ended = False

        async def load(ledger: Ledger) -> None:
            while not ended:
                await ledger.count(ONE, HIT)

        async with opened(database) as one, opened(database) as other:
            loading = [asyncio.create_task(load(ledger)) for ledger in (one, other, one, other)]
            for _ in range(20):
                assert await one.lanes_free()
            ended = True
            await asyncio.gather(*loading)


async def free(ledger: Ledger) -> bool:
    """A table that is locked as a whole is refused, which says the same."""
    try:
        return await ledger.lanes_free()
    except StoreBusy:
        return False


def test_the_url_has_the_last_word_on_the_connection(database: PostgresqlDatabase) -> None:
    given = {"keepalives_idle": "77", "tcp_user_timeout": "88", "connect_timeout": "9", "application_name": "other"}
    url = "&".join([database.url, *(f"{name}={value}" for name, value in given.items())])
    with closing(PostgresqlDatabase(url).session()) as session:
        told = session.connection.info.get_parameters()
    assert {name: told[name] for name in given} == given


def test_who_waits_for_a_silent_server_does_not_wait_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it answers nothing
        host, port = silent.getsockname()
        database = PostgresqlDatabase(f"postgresql://tallystick@{host}:{port}/any?connect_timeout=2")
        with pytest.raises(DatabaseAway) as first:
            database.session()
        began = time.monotonic()
        for _ in range(20):
            with pytest.raises(DatabaseAway) as next_one:
                database.session()
            assert str(next_one.value) == str(first.value)
        assert time.monotonic() < began + 0.5
    # It is asked again soon, and one that refuses is asked each time.
    monkeypatch.setattr(postgresql, "SILENCE_S", 0.3)
    time.sleep(0.3)
    for _ in range(2):
        with pytest.raises(DatabaseAway, match="refused"):
            database.session()


def test_a_connection_that_cannot_be_prepared_is_closed(
    database: PostgresqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[psycopg.Connection[Any]] = []
    connect = psycopg.connect

    def remembered(*arguments: Any, **options: Any) -> psycopg.Connection[Any]:
        made.append(connect(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(psycopg, "connect", remembered)
    monkeypatch.setattr(postgresql, "LOCK_TIMEOUT_MS", -1)  # PostgreSQL refuses this value
    with pytest.raises(DatabaseUnreachable, match="outside the valid range"):
        database.session()
    assert [connection.closed for connection in made] == [True]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cret%zz@localhost/db",
        "postgresql://u:p@s3cret@localhost/db",
        "postgresql://u:pa/s3cret@localhost/db",
        "postgresql://u:12/s3cret@localhost/db",
        "postgresql://u:p@s3cret/x@localhost/db",
        "postgresql://u:p@%2Fs3cret@localhost/db",
        "postgresql://u:p@x:s3cret@localhost/db",
        "postgresql://u:s3cret",
        "postgresql://u:s3cret x@localhost/db",
        "postgresql://u:s3cret@[::1",
        "postgresql://localhost/db?s3cret@x",
        "postgresql://localhost/db?host=a:s3cret",
        "postgresql://localhost/u:s3cret",
    ],
)
def test_a_password_that_libpq_takes_for_something_else_is_not_told(url: str) -> None:
    with pytest.raises(InvalidSetting, match="must be written %25 %40 %2F %23") as refused:
        PostgresqlDatabase(url)
    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://u:s3cret@[::1]:5433/db", "::1:5433, database db"),
        ("postgresql://u:s3cret@[fe80::1%25eth0]/db", "fe80::1%eth0, database db"),
        ("postgresql://u:s3cret@one,[::1]:5433/db", "one,::1:,5433, database db"),
        ("postgresql://u:s3cret@/db?host=/run/a:b", "the local socket, database db"),
        ("postgresql://u:s3cret%40%2F%25%23@example.com", "example.com, database (default)"),
    ],
)
def test_what_libpq_reads_is_told_without_the_password(url: str, told: str) -> None:
    assert PostgresqlDatabase(url).describe() == f"PostgreSQL at {told}"


@pytest.mark.parametrize(
    "place",
    ["127.0.0.1:1/db", "no-such-host.invalid/db", "127.0.0.1:99999/db", "%2Fnowhere/db", "127.0.0.1:1/db?sslmode=no"],
)
def test_an_unreachable_server_does_not_tell_the_password(place: str) -> None:
    with pytest.raises(DatabaseUnreachable) as refused:
        PostgresqlDatabase(f"postgresql://u:s3cret%40@{place}").session()
    assert "s3cret" not in str(refused.value)
