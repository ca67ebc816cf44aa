"""PostgreSQL loses connections or restarts under load: errors, never false successes, and then it counts again."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path

import psycopg
import pytest

from support.ledgers import until
from support.load import Books, Connection, values_of
from support.postgres import Postgres
from support.server import RunningServer, running_server

KEYS = ["example.com/hot", "example.com/visits", "another.example/visits"]
ORDERS = [[KEYS[0]], KEYS, [KEYS[0]], KEYS[::-1]] * 2

Outage = Callable[[Postgres, str], None]


def terminate_connections(postgres: Postgres, url: str) -> None:  # noqa: ARG001  # every outage is called alike
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def restart(postgres: Postgres, url: str) -> None:  # noqa: ARG001
    postgres.restart()


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    with postgres.fresh_database() as url:
        yield url


@pytest.mark.parametrize(("outage", "times"), [(terminate_connections, 5), (restart, 2)])
def test_an_outage_under_load(
    tmp_path: Path, postgres: Postgres, database_url: str, outage: Outage, times: int
) -> None:
    books = Books()
    with running_server(tmp_path, database=database_url) as server:
        asyncio.run(load_through(server, books, lambda: outage(postgres, database_url), times))
        # Every client was answered every time.
        assert books.unanswered == 0
        assert books.refused
        assert set(books.refused) <= {500, 503}
        assert server.get("/health/ready").status_code == 200
        books.check(values_of(server, KEYS))
        assert server.stop() == 0


async def load_through(server: RunningServer, books: Books, outage: Callable[[], None], times: int) -> None:
    """Count all the while, and after each outage until everyone has been answered again."""
    ended = asyncio.Event()

    def until_the_end(order: list[str]) -> Iterator[str]:
        for key in cycle(order):
            if ended.is_set():
                return
            yield key

    async def count() -> None:
        await books.load(server, map(until_the_end, ORDERS))

    counting = asyncio.create_task(count())
    for _ in range(times):
        await more_answers(books, 100)
        refused = books.refused.total()
        await asyncio.to_thread(outage)
        await until(partial(refused_more_than, books, refused))
        await more_answers(books, 100)
    ended.set()
    await counting


def refused_more_than(books: Books, number: int) -> bool:
    return books.refused.total() > number


async def more_answers(books: Books, number: int) -> None:
    wanted = books.answers + number
    await until(lambda: books.answers >= wanted)


async def test_a_server_without_traffic_finds_out_that_postgresql_is_back(
    tmp_path: Path, postgres: Postgres, database_url: str
) -> None:
    with running_server(tmp_path, database=database_url) as server:
        async with Connection.to(server) as connection:
            assert (await connection.get("/hit/example.com/visits")).body == {"value": 1}
            await asyncio.to_thread(terminate_connections, postgres, database_url)
            assert (await connection.get("/hit/example.com/visits")).status in {500, 503}

            async def ready() -> bool:
                return (await connection.get("/health/ready")).status == 200

            await until(ready)
            assert (await connection.get("/hit/example.com/visits")).body == {"value": 2}
            assert (await connection.get("/get/example.com/visits")).body == {"value": 2}
