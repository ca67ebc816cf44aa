"""The application under uvicorn as it comes: nothing in it needs the server of ours."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from uvicorn import Config, Server
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from support.people import a_site, a_token
from support.sharing import someone
from tallystick.app import Application
from tallystick.model.account import Permission
from tallystick.settings import Settings

COUNTER = {"displayName": "Cups of tea", "type": "UpDown", "data": {}}
SHARED = Permission.COUNTERS_READ | Permission.COUNTERS_WRITE


@asynccontextmanager
async def running(application: Application) -> AsyncIterator[str]:
    """Serve with uvicorn's own protocols; the address."""
    config = Config(application, http="httptools", ws="websockets-sansio", lifespan="off", log_config=None)
    server = Server(config)
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([bound]))
    try:
        yield "127.0.0.1:{}".format(*bound.getsockname()[1:])
    finally:
        for sockets in application.sockets:
            await sockets.close_all(5)
        server.should_exit = True
        await serving


async def test_every_surface_under_stock_uvicorn(tmp_path: Path) -> None:
    application = await Application.open(Settings(data=tmp_path))
    try:
        ada = await someone(application.ledger)
        await a_site(application.ledger, ada, "stats.example.com")
        token = await a_token(application.ledger, ada, SHARED)
        async with running(application) as address:
            await use(address, {"authorization": f"Bearer {token}"})
    finally:
        await application.close()


async def use(address: str, credentials: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}", timeout=30) as client:
        assert (await client.get("/hit/example.com/visits")).json() == {"value": 1}
        pixel = await client.get("/count?p=/page", headers={"host": "stats.example.com", "user-agent": "Firefox"})
        assert (pixel.status_code, pixel.headers["content-type"]) == (200, "image/gif")
        made = await client.post("/v1/counters", json=COUNTER, headers=credentials)
        assert made.status_code == 201, made.text
        increment = f"/v2/counters/{made.json()['id']}/increment"
        assert (await client.post(increment, headers=credentials)).json() == 1
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{address}/v2/ws", proxy=None)
        assert (refused.value.response.status_code, refused.value.response.headers["connection"]) == (401, "close")
        async with (
            connect(f"ws://{address}/v2/ws", additional_headers=credentials, proxy=None) as opened,
            client.stream("GET", "/v2/events", headers=credentials) as events,
            asyncio.timeout(20),
        ):
            assert (events.status_code, events.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            await opened.send("ping")
            assert await opened.recv() == "pong"
            assert (await client.post(increment, headers=credentials)).json() == 2
            assert msgspec.json.decode(await opened.recv(decode=True))["params"]["value"] == 2
            async for line in events.aiter_lines():
                if line.startswith("data:") and b'"value":2' in line.encode():
                    break
