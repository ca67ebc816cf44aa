"""The journal of many nodes in PostgreSQL: acknowledged hits, records of requests, the lease, moves."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Thread

import psycopg
import pytest

from support.postgres import Postgres
from support.warehouses import NOW, a_hit
from tallystick.errors import DatabaseSchemaRefused, KeyInFlight, StoreBusy, StoreUnavailable
from tallystick.ledger.database import opened
from tallystick.ledger.postgresql import PostgresqlDatabase
from tallystick.model.hit import Hit, Visitor
from tallystick.warehouse.duckdb.appending import Append
from tallystick.warehouse.duckdb.sessions import Sessions
from tallystick.warehouse.lake import lease, moves
from tallystick.warehouse.lake.batches import FORMAT, pack, placed
from tallystick.warehouse.lake.connecting import Connect, LakeConnection, connected
from tallystick.warehouse.lake.journal import LakeJournal
from tallystick.warehouse.lake.lease import Known
from tallystick.warehouse.lake.migrations import migrate
from tallystick.warehouse.lake.moves import LeaseLost
from tallystick.warehouse.lake.reach import Reach
from tallystick.warehouse.types import IdempotencyRecord, Stored

EVERY_BATCH = 1 << 62
KNOWN = Known(format=FORMAT, schema=1)


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.fresh_database() as fresh:
        yield fresh


@pytest.fixture
def connect(url: str) -> Connect:
    """Connections to the hits' schema, which is empty."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS tallystick_hits CASCADE")
    connecting = partial(opened, PostgresqlDatabase(url))
    migrate(connecting)
    return connecting


@pytest.fixture
def connection(connect: Connect) -> Iterator[LakeConnection]:
    with connected(connect) as connection:
        yield connection


class Node:
    """A node that acknowledges hits."""

    def __init__(self, connect: Connect, name: str) -> None:
        self.journal = LakeJournal(connect, name, asyncio.get_running_loop())

    async def append(self, *hits: Hit, request: IdempotencyRecord | None = None) -> list[Stored]:
        future: asyncio.Future[list[Stored]] = asyncio.get_running_loop().create_future()
        self.journal.submit(Append(hits, request, future))
        return await future


async def _append_in_turn(connect: Connect, appends: Sequence[Sequence[Hit]]) -> None:
    node = Node(connect, "a")
    for hits in appends:
        await node.append(*hits)
    await node.journal.thread.close()


def append_in_turn(connect: Connect, *appends: Sequence[Hit]) -> None:
    """Acknowledge hits, a batch each, from a test that is no coroutine, because it asks PostgreSQL itself."""
    asyncio.run(_append_in_turn(connect, appends))


async def waiting_paths(connect: Connect) -> list[int]:
    """The paths of all hits that are not in the lake."""

    def read() -> list[int]:
        with connected(connect) as connection:
            return paths_of(moves.next_batches(connection, EVERY_BATCH, 100_000))

    return await asyncio.to_thread(read)


def a_record(key: str = "key", answer: str = "answer") -> IdempotencyRecord:
    return IdempotencyRecord(key, "fingerprint", answer, NOW)


def counted(connection: LakeConnection, table: str) -> int:
    [count] = connection.connection.execute(f"SELECT count(*) FROM tallystick_hits.{table}".encode()).fetchone() or (0,)
    return int(count)


def moved(connection: LakeConnection, epoch: int, max_hits: int = 20_000) -> tuple[int, list[moves.StoredBatch]]:
    """Begin the next move."""
    batches = moves.next_batches(connection, EVERY_BATCH, max_hits)
    return moves.begin(connection, epoch, batches), batches


def paths_of(batches: list[moves.StoredBatch]) -> list[int]:
    return [path for batch in batches for path in placed(batch.content, batch.format, 0, Sessions()).hits.path]


async def test_acknowledged_hits_of_all_nodes_are_stored_in_few_commits(
    connect: Connect, connection: LakeConnection
) -> None:
    nodes = [Node(connect, "a"), Node(connect, "b")]
    appends = [nodes[path % 2].append(a_hit(path), a_hit(path)) for path in range(1, 201)]
    assert await asyncio.gather(*appends) == [[Stored(), Stored()]] * 200
    for node in nodes:
        await node.journal.thread.close()
    batches = moves.next_batches(connection, EVERY_BATCH, 20_000)
    assert sorted(paths_of(batches)) == sorted([*range(1, 201)] * 2)
    assert len(batches) < 40
    assert nodes[0].journal.waiting == 0


def test_a_batch_gets_ids_and_the_sessions_that_one_server_would_give() -> None:
    sessions, visitor = Sessions(), Visitor(7, 7)
    hits = [a_hit(1, by=7), a_hit(1, by=7), a_hit(2, visitor=visitor, created=NOW + 1), a_hit(3), a_hit(1, by=7, bot=6)]
    batch = pack([*hits, a_hit(4, by=8, single=False, created=NOW + 61)])
    content = placed(batch.content, batch.format, 10, sessions)
    assert content.hits.id == [11, 12, 13, 14, 15, 16]
    own = content.hits.session[0]
    assert content.hits.session == [own, own, own, 0, 0, 0]
    assert content.hits.first == [True, False, True, True, True, True]
    assert content.hits.created[-1] == (NOW + 61) // 3_600 * 3_600
    assert sessions.new_keys == [(7, own, NOW)]
    sessions.keep()
    batch = pack([a_hit(2, by=7), a_hit(9, visitor=Visitor(70, 7)), a_hit(5, first=False)])
    content = placed(batch.content, batch.format, 16, sessions)
    assert (content.hits.session, content.hits.first) == ([own, own, 0], [False, True, False])


async def test_only_the_hit_that_the_lake_would_refuse_is_refused(connect: Connect) -> None:
    node = Node(connect, "a")
    good, bad = node.append(a_hit(1)), node.append(a_hit(2**31))
    results = await asyncio.gather(good, bad, return_exceptions=True)
    await node.journal.thread.close()
    assert results[0] == [Stored()]
    assert isinstance(results[1], ValueError)
    assert await waiting_paths(connect) == [1]


async def test_of_requests_with_one_key_on_two_nodes_one_is_stored(
    connect: Connect, connection: LakeConnection
) -> None:
    nodes = [Node(connect, "a"), Node(connect, "b")]
    keyed = [nodes[n % 2].append(a_hit(1), request=a_record(f"key-{n // 4}", f"{n}")) for n in range(40)]
    others = [nodes[n % 2].append(a_hit(2)) for n in range(10)]
    results = await asyncio.gather(*keyed, *others, return_exceptions=True)
    for node in nodes:
        await node.journal.thread.close()
    for each in range(10):
        outcomes = results[4 * each : 4 * each + 4]
        assert outcomes.count([Stored()]) == 1
        assert sum(isinstance(outcome, KeyInFlight) for outcome in outcomes) == 3
    assert results[40:] == [[Stored()]] * 10
    assert counted(connection, "request") == 10
    assert sorted(await waiting_paths(connect)) == [1] * 10 + [2] * 10


async def test_an_outage_refuses_appends_until_it_ends(url: str, connect: Connect) -> None:
    node = Node(connect, "a")
    await node.append(a_hit(1))
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(StoreUnavailable):
        await node.append(a_hit(2))
    assert (node.journal.failures, node.journal.last_failed) == (1, True)
    assert await node.append(a_hit(3)) == [Stored()]
    assert not node.journal.last_failed
    await node.journal.thread.close()
    assert await waiting_paths(connect) == [1, 3]


async def test_an_empty_append_fails_where_hits_could_not_be_stored(url: str, connect: Connect) -> None:
    node = Node(connect, "a")
    assert await node.append() == []
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("ALTER TABLE tallystick_hits.batch RENAME TO gone")
    with pytest.raises(StoreUnavailable):
        await node.append()
    await node.journal.thread.close()


def test_one_node_at_a_time_has_the_lease(connection: LakeConnection) -> None:
    first = lease.take(connection, "a", KNOWN, 0.2)
    assert first is not None
    assert lease.take(connection, "b", KNOWN) is None
    assert lease.extend(connection, first, 0.2) == lease.LeaseHeld("")
    assert lease.ask_for(connection, "b", KNOWN)
    assert lease.extend(connection, first, 0.2) == lease.LeaseHeld("b")
    time.sleep(0.25)
    # Ended, but nobody else has taken it.
    assert lease.extend(connection, first, 0.1) is not None
    time.sleep(0.15)
    second = lease.take(connection, "b", KNOWN)
    assert second == first + 1
    assert lease.state(connection) == lease.LeaseState(second, "b", valid=True, moves=0, schema=0)
    assert lease.extend(connection, first) is None
    lease.release(connection, first)
    assert lease.state(connection).valid
    lease.release(connection, second)
    assert not lease.state(connection).valid


def test_a_lease_that_was_asked_for_is_left_to_the_one_that_asked(connection: LakeConnection) -> None:
    first = lease.take(connection, "a", KNOWN)
    assert first is not None
    lease.ask_for(connection, "b", KNOWN)
    lease.release(connection, first)
    assert lease.take(connection, "c", KNOWN) is None
    assert lease.take(connection, "b", KNOWN) == first + 1
    # One that has gone meanwhile is not waited for.
    lease.ask_for(connection, "gone", KNOWN)
    connection.connection.execute("UPDATE tallystick_hits.lease SET expires = clock_timestamp() - interval '3 seconds'")
    assert lease.take(connection, "c", KNOWN) == first + 2
    assert lease.extend(connection, first + 2) == lease.LeaseHeld("")


@pytest.mark.parametrize(
    ("newer", "there"),
    [
        (
            KNOWN._replace(format=FORMAT + 1),
            f"INSERT INTO tallystick_hits.batch (node, content, format, hits) VALUES ('', '', {FORMAT + 1}, 1)",
        ),
        (KNOWN._replace(schema=2), "UPDATE tallystick_hits.lease SET schema = 2"),
    ],
)
def test_what_a_newer_program_wrote_is_left_to_it(connection: LakeConnection, newer: Known, there: str) -> None:
    connection.connection.execute(there.encode())
    assert lease.take(connection, "old", KNOWN) is None
    assert lease.take(connection, "new", newer) == 1
    # It is not asked either, or it would hand the lease over in vain, again and again.
    assert not lease.ask_for(connection, "old", KNOWN)
    assert lease.extend(connection, 1) == lease.LeaseHeld("")
    assert lease.ask_for(connection, "another new one", newer)
    assert lease.extend(connection, 1) == lease.LeaseHeld("another new one")


def test_a_move_is_finished_or_forgotten_by_the_next_mover(connect: Connect, connection: LakeConnection) -> None:
    epoch = lease.take(connection, "a", KNOWN, 0.0)
    assert epoch is not None
    append_in_turn(connect, *([a_hit(path)] * 2 for path in range(1, 6)))
    one, batches = moved(connection, epoch, max_hits=5)
    assert paths_of(batches) == [1, 1, 2, 2]
    moves.end(connection, epoch, one)
    two, batches = moved(connection, epoch, max_hits=1)
    assert paths_of(batches) == [3, 3]
    # Killed before or after its commit in the lake: the lake knows which.
    successor = lease.take(connection, "b", KNOWN)
    assert successor is not None
    moves.recover(connection, successor, one)
    assert counted(connection, "move") == 0
    three, batches = moved(connection, successor, max_hits=1)
    assert (three, paths_of(batches)) == (two + 1, [3, 3])
    moves.recover(connection, successor, three)
    assert paths_of(moves.next_batches(connection, EVERY_BATCH, 100)) == [4, 4, 5, 5]
    # The former mover goes on after a pause.
    with pytest.raises(LeaseLost):
        moves.begin(connection, epoch, batches)
    with pytest.raises(LeaseLost):
        moves.recover(connection, epoch, three)
    four, _ = moved(connection, successor)
    moves.end(connection, epoch, four)
    assert counted(connection, "batch") == 2
    # A lake that is ahead of the numbers, for example after PostgreSQL's part of a backup was restored alone.
    moves.recover(connection, successor, 1_000)
    assert (counted(connection, "batch"), lease.state(connection).moves) == (0, 1_000)


def test_a_read_waits_for_what_was_acknowledged_before_it(connect: Connect, connection: LakeConnection) -> None:
    reach = Reach(connect)
    reach.wait(0)
    append_in_turn(connect, [a_hit()])
    with connected(connect) as mover:
        mover.connection.execute("LISTEN tallystick_hits")
        with pytest.raises(StoreBusy):
            reach.wait(0.1)
        assert len(list(mover.connection.notifies(timeout=1, stop_after=1))) == 1
    epoch = lease.take(connection, "a", KNOWN)
    assert epoch is not None
    number, _ = moved(connection, epoch)
    readers = [Thread(target=reach.wait) for _ in range(3)]
    for reader in readers:
        reader.start()
    time.sleep(0.1)
    # What is acknowledged later does not delay the first of them.
    append_in_turn(connect, [a_hit()])
    assert all(reader.is_alive() for reader in readers)
    moves.end(connection, epoch, number)
    time.sleep(0.3)
    assert any(not reader.is_alive() for reader in readers)
    number, _ = moved(connection, epoch)
    moves.end(connection, epoch, number)
    for reader in readers:
        reader.join(5)
        assert not reader.is_alive()
    reach.close()


def test_nodes_that_start_at_once_make_the_schema_once(url: str, connect: Connect) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("DROP SCHEMA tallystick_hits CASCADE")
        errors: list[Exception] = []

        def start() -> None:
            try:
                migrate(connect)
            except Exception as error:  # noqa: BLE001  # judged below
                errors.append(error)

        starts = [Thread(target=start) for _ in range(4)]
        for each in starts:
            each.start()
        for each in starts:
            each.join()
        assert not errors
        assert other.execute("SELECT count(*) FROM tallystick_hits.lease").fetchone() == (1,)
        refusals: list[tuple[str, Callable[[], object]]] = [
            ("another text", lambda: other.execute("UPDATE tallystick_hits.migration SET checksum = ''")),
            ("newer", lambda: other.execute("INSERT INTO tallystick_hits.migration VALUES (1000, '')")),
        ]
        for text, change in refusals:
            change()
            other.execute("SELECT 1")
            with pytest.raises(DatabaseSchemaRefused, match=text if text == "another text" else "newer Tallystick"):
                migrate(connect)
