"""A full or broken disk over HTTP: an error in JSON, never a false success, and the server recovers by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from support.faulty_disk import ErrorKind, Fault, FaultyDisk, SqliteAction
from support.in_process import knowledge
from support.ledgers import opened
from tallystick.app import Application
from tallystick.ledger import Ledger
from tallystick.ledger.sqlite import SqliteDatabase
from tallystick.services.opening import Stores
from tallystick.settings import Settings
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

HIT = "/hit/example.com/visits"
GET = "/get/example.com/visits"


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    with FaultyDisk.mounted() as disk:
        yield disk


@asynccontextmanager
async def a_client(data: Path, disk: FaultyDisk) -> AsyncIterator[httpx.AsyncClient]:
    """Of the whole application, in this process, on a disk that can fail."""
    ledger = await Ledger.open(SqliteDatabase(data / "ledger.sqlite3", vfs=disk.name))
    warehouse = await DuckDbWarehouse.open(data / WAREHOUSE_FILE)
    # Without its tasks: they write to the ledger when they like, and the fault would be theirs in place of a hit's.
    application = Application(Settings(data=data, creation_limit=0), Stores(ledger, warehouse), await knowledge())
    transport = httpx.ASGITransport(application)
    # What it writes when it starts is no hit: it is done when this returns.
    await application.services.following.resume(0, "", 0)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            yield client
    finally:
        disk.heal()
        await application.close()


async def hits(client: httpx.AsyncClient, number: int) -> list[httpx.Response]:
    return await asyncio.gather(*(client.get(HIT) for _ in range(number)))


def is_refusal(response: httpx.Response, kind: ErrorKind) -> bool:
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert list(response.json()) == ["error"]
    if kind == "full":
        return (response.status_code, response.headers.get("retry-after")) == (503, "30")
    return response.status_code == 500 and "retry-after" not in response.headers


@pytest.mark.parametrize(("action", "kind"), [("write", "full"), ("write", "broken"), ("sync", "broken")])
async def test_a_disk_that_stays_broken_is_told_until_it_heals(
    disk: FaultyDisk, tmp_path: Path, action: SqliteAction, kind: ErrorKind
) -> None:
    async with a_client(tmp_path, disk) as client:
        acknowledged = [response.json()["value"] for response in await hits(client, 10)]
        assert (await client.get("/health/ready")).status_code == 200
        disk.fail(Fault(action, kind, lasts=True))
        for _ in range(3):
            assert all(is_refusal(response, kind) for response in await hits(client, 10))
            ready = await client.get("/health/ready")
            assert ready.status_code == 503
            assert ready.json()["status"] == "unavailable"
            assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/get/example.com/visits")).json() == {"value": 10}
        disk.heal()
        assert (await client.get("/health/ready")).status_code == 200
        acknowledged += [response.json()["value"] for response in await hits(client, 10)]
        assert len(set(acknowledged)) == 20
    async with opened(SqliteDatabase(tmp_path / "ledger.sqlite3")) as ledger:
        [value] = [counter.value for _, counter in await ledger.read(lambda session: session.page(None, 10))]
        assert max(acknowledged) <= value <= 50


@pytest.mark.parametrize("kind", ["full", "broken"])
@pytest.mark.parametrize("action", ["write", "sync"])
@pytest.mark.parametrize("number", range(1, 9))
async def test_one_fault_refuses_its_batch_and_the_next_counts(
    disk: FaultyDisk, tmp_path: Path, number: int, action: SqliteAction, kind: ErrorKind
) -> None:
    async with a_client(tmp_path, disk) as client:
        disk.fail(Fault(action, kind, number))
        responses = [response for _ in range(10) for response in await hits(client, 3)]
        assert disk.failures == 1
        refused = [response for response in responses if response.status_code != 200]
        acknowledged = [response.json()["value"] for response in responses if response.status_code == 200]
        assert 0 < len(refused) <= 3
        assert all(is_refusal(response, kind) for response in refused)
        assert len(set(acknowledged)) == 30 - len(refused)
        assert max(acknowledged) <= (await client.get(GET)).json()["value"] <= 30
        assert (await client.get("/health/ready")).status_code == 200


async def test_a_database_that_cannot_be_opened_again_for_a_while(disk: FaultyDisk, tmp_path: Path) -> None:
    async with a_client(tmp_path, disk) as client:
        await hits(client, 5)
        disk.fail(Fault("sync", "broken", lasts=True))
        assert [response.status_code for response in await hits(client, 1)] == [500]
        disk.fail(Fault("open", "broken", lasts=True))
        for _ in range(3):
            assert all(is_refusal(response, "broken") for response in await hits(client, 5))
            assert (await client.get("/health/ready")).status_code == 503
            assert is_error(await client.get("/stats"))
            assert is_error(await client.get(GET))
        disk.heal()
        assert (await client.get("/health/ready")).status_code == 200
        [response] = await hits(client, 1)
        assert 6 <= response.json()["value"] <= 7


def is_error(response: httpx.Response) -> bool:
    return response.status_code == 500 and list(response.json()) == ["error"]
