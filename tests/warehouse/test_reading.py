"""Reads that nobody waits for any more give their thread back."""

import asyncio
import sys
from collections.abc import Callable
from threading import Event

import pytest

from support.warehouses import a_hit, ids
from tallystick.warehouse.duckdb.reader import THREADS
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

FOR_EVER = "SELECT sum(a.range * b.range) FROM range(10_000_000) AS a, range(10_000_000) AS b"


def one_statement(session: DuckDbSession) -> None:
    session.connection.execute(FOR_EVER).fetchall()


def many_statements(session: DuckDbSession) -> None:
    while True:
        session.connection.execute("SELECT sum(range) FROM range(10_000)").fetchall()


@pytest.mark.parametrize("read", [one_statement, many_statements])
async def test_reads_that_took_too_long_free_their_threads(
    warehouse: DuckDbWarehouse, read: Callable[[DuckDbSession], None]
) -> None:
    await warehouse.append([a_hit()])
    for _ in range(2):
        given_up = [asyncio.wait_for(warehouse.read(read), 0.2) for _ in range(THREADS + 2)]
        results = await asyncio.gather(*given_up, return_exceptions=True)
        assert all(isinstance(result, TimeoutError) for result in results)
    async with asyncio.timeout(20):
        assert await ids(warehouse) == [1]


async def test_reads_that_wait_are_finished_before_the_warehouse_is_closed(warehouse: DuckDbWarehouse) -> None:
    hold = Event()

    def held(_: DuckDbSession) -> bool:
        return hold.wait(20)

    reads = [asyncio.create_task(warehouse.read(held)) for _ in range(3 * THREADS)]
    await asyncio.sleep(0.2)  # they wait
    closing = asyncio.create_task(warehouse.close())
    await asyncio.sleep(0)
    hold.set()
    assert await asyncio.gather(*reads) == [True] * len(reads)
    await closing


async def test_parameters_of_statements_import_nothing(
    warehouse: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    sought: list[str] = []

    class Finder:
        """Finds nothing, and knows what it was asked for."""

        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            sought.append(name)

    def several_kinds(session: DuckDbSession) -> list[tuple[object, ...]]:
        statement = "SELECT $1, $2, $3, $4"
        session.connection.execute(statement, [1, "a", None, 0.5])  # what it imports once
        monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
        return session.connection.execute(statement, [1, "a", None, 0.5]).fetchall()

    assert await warehouse.read(several_kinds) == [(1, "a", None, 0.5)]
    assert sought == []
