"""kill -9 at any moment loses nothing that was acknowledged and counts nothing twice."""

import asyncio
import random
import re
from itertools import cycle, islice
from pathlib import Path

import pytest

from support.load import Books, values_of
from support.postgres import Postgres
from support.server import RunningServer, running_server

KEYS = ["example.com/hot", "example.com/visits", "another.example/visits"]
# Half of the clients start with the hot key, the others somewhere else.
ORDERS = [[KEYS[0]], KEYS, [KEYS[0]], KEYS[1:], [KEYS[0], KEYS[2]], KEYS[::-1], [KEYS[0]], KEYS]


def check(server: RunningServer, books: Books) -> None:
    values = values_of(server, KEYS)
    books.check(values)
    # A counter and the totals change in one transaction.
    stats = server.get("/stats").json()
    assert stats["keys_updated"] == sum(values.values())
    assert stats["keys_created"] == sum(value > 0 for value in values.values())


def load_and_kill(server: RunningServer, books: Books, *, after: int) -> None:
    """Kill the server as soon as it has acknowledged so many."""
    before = books.answers

    def kill_in_time() -> None:
        if books.answers - before == after:
            server.process.kill()

    asyncio.run(books.load(server, map(cycle, ORDERS), each=kill_in_time))
    server.process.wait(timeout=30)
    assert books.answers - before >= after


def rounds(data: Path, database: str | None, number: int, *options: str) -> None:
    books = Books()
    for _ in range(number):
        with running_server(data, *options, database=database) as server:
            check(server, books)
            load_and_kill(server, books, after=random.randint(1, 400))
    with running_server(data, *options, database=database) as server:
        check(server, books)
        asyncio.run(books.load(server, (islice(cycle(order), 10) for order in ORDERS)))
        check(server, books)
        # The hot lane takes these requests: it is what was killed.
        hot = re.search(r"^tallystick_hot_requests_total (\S+)$", server.get("/metrics").text, re.MULTILINE)
        assert hot is not None
        assert float(hot[1]) >= 10 * len(ORDERS)
        assert server.stop() == 0


@pytest.mark.timeout(400)
def test_on_sqlite(tmp_path: Path) -> None:
    rounds(tmp_path, None, 12)


@pytest.mark.timeout(400)
def test_on_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    with postgres.fresh_database() as url:
        rounds(tmp_path, url, 12)


def test_with_relaxed_durability_a_kill_loses_nothing_either(tmp_path: Path, database_url: str | None) -> None:
    rounds(tmp_path, database_url, 2, "--durability", "relaxed")


@pytest.mark.parametrize("after", [1, 50, 300])
def test_when_postgresql_dies_with_the_server(tmp_path: Path, postgres: Postgres, after: int) -> None:
    books = Books()
    with postgres.fresh_database() as url:
        with running_server(tmp_path, database=url) as server:
            load_and_kill(server, books, after=after)
            postgres.restart()
        with running_server(tmp_path, database=url) as server:
            check(server, books)
