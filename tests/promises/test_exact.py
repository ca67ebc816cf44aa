"""Concurrent hits return consecutive values, each once, however many clients and servers count."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from itertools import cycle, islice
from pathlib import Path

import psycopg
import pytest

from support.load import Books, Connection, allow_many_connections, values_of
from support.postgres import Postgres
from support.server import RunningServer, running_server

AT_ONCE = 2_000


async def hit_at_once(server: RunningServer, books: Books, key: str) -> None:
    """Every client has its connection before the first one sends."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(Connection.to(server)) for _ in range(AT_ONCE)]
        await asyncio.gather(*(books.count(connection, key) for connection in connections))


def test_two_thousand_hits_at_once(any_server: RunningServer) -> None:
    allow_many_connections(AT_ONCE + 500)
    books = Books()
    asyncio.run(hit_at_once(any_server, books, "example.com/hot"))
    books.check_exact(values_of(any_server, books.sent))
    stats = any_server.get("/stats").json()
    assert (stats["keys_created"], stats["keys_updated"]) == (1, AT_ONCE)


def deadlocks(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert row is not None
    return int(row[0])


def test_two_servers_on_one_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    keys = [f"example.com/page-{number}" for number in range(60)]
    hot = ["example.com/hot"]
    orders = [
        keys,
        keys[::-1],
        hot,
        keys[::2] + hot + keys[::-2],
        hot + keys[::3],
        hot,
        keys[30:] + keys[:30],
        keys[::-1],
    ]
    books = Books()
    with postgres.fresh_database() as url:
        with (
            running_server(tmp_path / "one", database=url) as one,
            running_server(tmp_path / "another", database=url) as another,
        ):

            async def hammer() -> None:
                async with asyncio.TaskGroup() as servers:
                    for server in (one, another):
                        servers.create_task(books.load(server, (islice(cycle(order), 60) for order in orders)))

            asyncio.run(hammer())
            values = values_of(one, books.sent)
            assert values_of(another, books.sent) == values
            books.check_exact(values)
            stats = one.get("/stats").json()
            assert (stats["keys_created"], stats["keys_updated"]) == (61, 2 * 8 * 60)
            assert (one.stop(), another.stop()) == (0, 0)
        assert deadlocks(url) == 0


def test_two_servers_start_at_once_on_an_empty_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    with postgres.fresh_database() as url, ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        starting = [
            pool.submit(stack.enter_context, running_server(tmp_path / name, database=url))
            for name in ("one", "another")
        ]
        answers = [server.result().get("/hit/example.com/visits").json() for server in starting]
    assert answers == [{"value": 1}, {"value": 2}]


def test_one_of_two_servers_creates_a_counter(tmp_path: Path, postgres: Postgres) -> None:
    names = [f"page-{number}" for number in range(40)]
    with (
        postgres.fresh_database() as url,
        running_server(tmp_path / "one", database=url) as one,
        running_server(tmp_path / "another", database=url) as another,
    ):

        async def create(server: RunningServer, order: list[str]) -> list[tuple[str, int]]:
            async with Connection.to(server) as connection:
                return [
                    (name, (await connection.get(f"/create?namespace=example.com&key={name}")).status) for name in order
                ]

        async def race() -> list[list[tuple[str, int]]]:
            return [*await asyncio.gather(create(one, names), create(another, names), create(one, names[::-1]))]

        answers = [answer for answers in asyncio.run(race()) for answer in answers]
        assert sorted(answers) == sorted([(name, status) for name in names for status in (200, 409, 409)])


@pytest.mark.parametrize("reset", [False, True])
async def test_a_client_that_hangs_up_does_not_disturb_its_batch(server: RunningServer, *, reset: bool) -> None:
    key, gone = "example.com/hot", 0
    books = Books()

    async def hang_up() -> None:
        async with Connection.to(server) as connection:
            connection.send(f"/hit/{key}")
            await connection.writer.drain()
            if reset:
                connection.writer.transport.abort()

    async with asyncio.TaskGroup() as clients:
        clients.create_task(books.load(server, [[key] * 50] * 8))
        for _ in range(50):
            clients.create_task(hang_up())
            gone += 1
    assert (books.answers, books.unanswered, sum(books.refused.values())) == (400, 0, 0)
    assert len(set(books.acknowledged[key])) == 400
    async with Connection.to(server) as connection:
        reply = await connection.get(f"/hit/{key}")
    assert max(books.acknowledged[key]) < reply.body["value"] <= 400 + gone + 1
