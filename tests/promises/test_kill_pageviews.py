"""kill -9 of the server loses no pageview that its pixel acknowledged, and stores none twice."""

import asyncio
import random
from collections import Counter
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from support.analytics import FIREFOX, prepare
from support.server import RunningServer, running_server
from support.warehouses import opened_warehouse, rows
from tallystick.ledger import open_database
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

CLIENTS = 8


async def look_until_killed(server: RunningServer, round_: int, after: int) -> list[str]:
    """Each client looks at one new page after the other: what was acknowledged."""
    acknowledged: list[str] = []

    async def one(number: int) -> None:
        async with httpx.AsyncClient(base_url=server.url, headers={"user-agent": FIREFOX}) as client:
            page = 0
            while True:
                path = f"/{round_}/{number}/{(page := page + 1)}"
                try:
                    answer = await client.get("/count", params={"p": path})
                except httpx.TransportError:
                    return
                assert answer.status_code == 200
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
def test_over_twenty_rounds(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    prepare(data)
    acknowledged: list[str] = []
    for round_ in range(20):
        with running_server(data, "--rate-limit", "off") as server:
            seen = asyncio.run(look_until_killed(server, round_, random.randint(1, 200)))
            server.process.wait(timeout=30)
        acknowledged += seen
    found = asyncio.run(stored(data))
    assert set(acknowledged) <= found.keys()
    assert set(found.values()) == {1}
    # What was not acknowledged may be there: at most one request of each client a round.
    assert len(found) <= len(acknowledged) + 20 * CLIENTS
