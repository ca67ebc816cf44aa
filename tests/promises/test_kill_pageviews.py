"""kill -9 of the server loses no pageview that it acknowledged, and stores none twice."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from support.analytics import FIREFOX, HOST, prepare
from support.server import RunningServer, running_server
from support.warehouses import opened_warehouse, rows
from tallystick.ledger import open_database
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

CLIENTS = 8

Look = Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]


async def by_pixel(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """As GoatCounter's script tells a pageview."""
    answer = await client.get("/count", params={"p": path})
    assert answer.status_code == 200
    return answer


async def by_event(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """As Plausible's script does."""
    answer = await client.post("/api/event", json={"n": "pageview", "u": f"https://{HOST}{path}", "d": HOST})
    assert answer.status_code == 202
    assert "x-plausible-dropped" not in answer.headers
    return answer


async def look_until_killed(server: RunningServer, round_: int, after: int, look: Look) -> list[str]:
    """Each client looks at one new page after the other: what was acknowledged."""
    acknowledged: list[str] = []

    async def one(number: int) -> None:
        async with httpx.AsyncClient(base_url=server.url, headers={"user-agent": FIREFOX}) as client:
            page = 0
            while True:
                path = f"/{round_}/{number}/{(page := page + 1)}"
                try:
                    await look(client, path)
                except httpx.TransportError:
                    return
                acknowledged.append(path)
                if len(acknowledged) == after:
                    server.process.kill()

    await asyncio.gather(*map(one, range(CLIENTS)))
    return acknowledged


async def stored(data: Path) -> Counter[str]:
    """How often each page was stored."""
    async with opened_warehouse(data / WAREHOUSE_FILE) as warehouse:
        found = Counter(path for (path,) in await rows(warehouse, "path"))
    with closing(open_database(None, data).session()) as session, session.snapshot():
        names = {int(id_): str(path) for id_, path in session.connection.execute("SELECT id, path FROM path")}
    return Counter({names[path]: number for path, number in found.items()})


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("look", "rounds"), [(by_pixel, 12), (by_event, 4)])
def test_over_many_rounds(tmp_path: Path, look: Look, rounds: int) -> None:
    data = tmp_path / "data"
    data.mkdir()
    prepare(data)
    acknowledged: list[str] = []
    for round_ in range(rounds):
        with running_server(data, "--rate-limit", "off") as server:
            seen = asyncio.run(look_until_killed(server, round_, random.randint(1, 200), look))
            server.process.wait(timeout=30)
        acknowledged += seen
    found = asyncio.run(stored(data))
    assert set(acknowledged) <= found.keys()
    assert set(found.values()) == {1}
    # What was not acknowledged may be there: at most one request of each client a round.
    assert len(found) <= len(acknowledged) + rounds * CLIENTS
