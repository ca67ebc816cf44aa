"""Streams of public counters never take the connections of people who share counters."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from support.counting_together import counting_together
from support.ledgers import until
from tallystick.hub import hub
from tallystick.model.counter import Create
from tallystick.model.key import Key
from tallystick.surfaces.native import live_counters
from tallystick.surfaces.native.live_counters import STREAMS_AT_MOST, STREAMS_OF_ONE_ADDRESS, LiveCounters
from tallystick.web.address import ClientAddresses


@asynccontextmanager
async def stream(
    application: Any, path: str, client: str, token: str = ""
) -> AsyncIterator[tuple[int, dict[str, str]]]:
    """Status and headers of a stream that stays open."""
    begun: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            begun.put_nowait(message)

    reading = asyncio.create_task(application({**scope, "client": (client, 1)}, receive, send))
    try:
        async with asyncio.timeout(10):
            start = await begun.get()
        yield start["status"], {name.decode(): value.decode() for name, value in start["headers"]}
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_members_have_connections_when_visitors_have_taken_all_of_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "SUBSCRIPTIONS_AT_MOST", 5)
    monkeypatch.setattr(live_counters, "STREAMS_AT_MOST", 3)
    async with counting_together(tmp_path) as together, AsyncExitStack() as opened:
        ada, following = await together.person(), together.services.following
        await together.ledger.count(Key("example.com", "visits"), Create())
        public = LiveCounters(following, ClientAddresses())

        async def visit(number: int) -> tuple[int, str | None]:
            reading = stream(public, "/live/example.com/visits", f"192.0.2.{number}")
            status, headers = await opened.enter_async_context(reading)
            return status, headers.get("retry-after")

        assert [await visit(number) for number in range(5)] == [(200, None)] * 3 + [(503, "30")] * 2
        for version in ("v1", "v2"):
            events = stream(together.surface.http, f"/{version}/events", "192.0.2.9", ada.token)
            assert (await opened.enter_async_context(events))[0] == 200
        assert (following.hub.watchers, len(following.hub)) == (3, 2)
        await opened.aclose()
        await until(lambda: following.hub.watchers == 0)
        assert (await visit(6))[0] == 200


def test_the_readme_tells_how_many_connections_are_kept() -> None:
    assert STREAMS_OF_ONE_ADDRESS < STREAMS_AT_MOST < hub.SUBSCRIPTIONS_AT_MOST
    readme = files("tallystick.surfaces.native").joinpath("README.md").read_text("utf-8")
    told = re.search(
        r"has ([\d,]+)\s+streams at most, .*? may take ([\d,]+) of the server's ([\d,]+)", readme, re.DOTALL
    )
    assert told is not None
    numbers = [int(number.replace(",", "")) for number in told.groups()]
    assert numbers == [STREAMS_OF_ONE_ADDRESS, STREAMS_AT_MOST, hub.SUBSCRIPTIONS_AT_MOST]
