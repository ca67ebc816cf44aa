"""kill -9 in the middle of a load: who resumes hears of every change once, and of nothing that is not there."""

import asyncio
import random
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from support.live_server import LiveServer, Person, frame, live_server

CONNECTIONS = 6
ROUNDS = 2
"""How often the server is killed."""


class Following:
    """A client that goes on where it was.

    Attributes:
        heard: value, version and offset of every change that it was told.
    """

    def __init__(self, token: str) -> None:
        self._headers = {"authorization": f"Bearer {token}"}
        self._place = "offset=0"
        self.heard: list[tuple[int, int, int]] = []

    async def hear(self, url: str, connected: asyncio.Event, last: int | None = None) -> None:
        """Hear until a value, or until the server is gone."""
        async with connect(f"{url}/v2/ws?{self._place}", additional_headers=self._headers, proxy=None) as socket:
            place = (await frame(socket))["params"]
            assert place["recovered"] == bool(self.heard)
            self._note(place)
            connected.set()
            while not self.heard or self.heard[-1][0] != last:
                try:
                    told = (await frame(socket))["params"]
                except ConnectionClosed:
                    return
                self.heard.append((told["value"], told["version"], told["offset"]))
                self._note(told)

    def _note(self, params: dict[str, Any]) -> None:
        self._place = f"epoch={params['epoch']}&offset={params['offset']}"


async def count_until_killed(server: LiveServer, person: Person, counter: str, acknowledged: list[int]) -> None:
    """Count from several connections; the server is killed in the middle of it."""
    killed_after = len(acknowledged) + random.randint(20, 200)

    async def count() -> None:
        async with httpx.AsyncClient(base_url=server.url, headers=person.headers, timeout=10) as client:
            while True:
                try:
                    answer = await client.post(f"/v1/counters/{counter}/increment")
                except httpx.TransportError:
                    return
                acknowledged.append(answer.json())
                if len(acknowledged) == killed_after:
                    server.server.process.kill()

    await asyncio.gather(*(count() for _ in range(CONNECTIONS)))


async def one_round(
    server: LiveServer, following: Following, person: Person, counter: str, acknowledged: list[int]
) -> None:
    connected = asyncio.Event()
    hearing = asyncio.create_task(following.hear(server.sockets_url, connected))
    await connected.wait()
    await count_until_killed(server, person, counter, acknowledged)
    await hearing


def test_who_resumes_hears_of_everything_once(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    with live_server(tmp_path / "data") as server:
        ada = server.person()
        counter = ada.new_counter()
        following = Following(ada.token)
        asyncio.run(one_round(server, following, ada, counter, acknowledged))
    for _ in range(ROUNDS - 1):
        with live_server(tmp_path / "data") as server:
            asyncio.run(one_round(server, following, ada, counter, acknowledged))
    with live_server(tmp_path / "data") as server:
        history = Person(server, ada.account, ada.token).ask("GET", f"/v1/counters/{counter}/history?limit=1000").json()
        changes = [(each["value"], each["version"], each["offset"]) for each in history if each["kind"] == "value"]
        asyncio.run(following.hear(server.url.replace("http", "ws"), asyncio.Event(), changes[-1][0]))
    assert following.heard == changes, "each once, in order, and nothing else"
    assert set(acknowledged) <= {value for value, _, _ in following.heard}
