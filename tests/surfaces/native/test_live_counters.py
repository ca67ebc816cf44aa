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
from support.live import followed
from tallystick.hub import hub
from tallystick.ledger import Ledger
from tallystick.model.counter import HIT, Create, Delete
from tallystick.model.key import Key
from tallystick.services.feed.following import Following
from tallystick.surfaces.native import live_counters
from tallystick.surfaces.native.live_counters import STREAMS_AT_MOST, STREAMS_OF_ONE_ADDRESS, LiveCounters
from tallystick.web.address import ClientAddresses

NO_LEDGER: Any = None
"""What is refused is not looked up."""


@asynccontextmanager
async def stream(
    application: Any, target: str, client: str = "192.0.2.1", token: str = "", method: str = "GET"
) -> AsyncIterator[tuple[int, dict[str, str], asyncio.Queue[bytes]]]:
    """Status, headers and events of a stream that stays open."""
    begun: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    told: asyncio.Queue[bytes] = asyncio.Queue()
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    path, _, query = target.partition("?")
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": headers}

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            begun.put_nowait(message)
        else:
            told.put_nowait(message["body"])

    reading = asyncio.create_task(application({**scope, "client": (client, 1)}, receive, send))
    try:
        async with asyncio.timeout(10):
            start = await begun.get()
        yield start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, told
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
            status, headers, _ = await opened.enter_async_context(reading)
            return status, headers.get("retry-after")

        assert [await visit(number) for number in range(5)] == [(200, None)] * 3 + [(503, "30")] * 2
        for version in ("v1", "v2"):
            events = stream(together.surface.http, f"/{version}/events", "192.0.2.9", ada.token)
            assert (await opened.enter_async_context(events))[0] == 200
        assert (following.hub.watchers, len(following.hub)) == (3, 2)
        await opened.aclose()
        await until(lambda: following.hub.watchers == 0)
        assert (await visit(6))[0] == 200


async def test_many_counters_on_one_connection(ledger: Ledger) -> None:
    target = "/live?key=example.com/one&key=example.com/two&key=example.com/one&other=1&key=example.com/none"
    await ledger.count(Key("example.com", "one"), Create(value=41))
    async with followed(ledger) as following, AsyncExitStack() as opened:
        public = LiveCounters(following, ClientAddresses())
        status, headers, told = await opened.enter_async_context(stream(public, target))
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert headers["access-control-allow-origin"] == "*"
        assert following.hub.watchers == 3, "a counter named twice is followed once"

        async def next_event() -> bytes:
            async with asyncio.timeout(10):
                return await told.get()

        assert await next_event() == b"retry: 2000\n\n"
        assert sorted([await next_event() for _ in range(3)]) == [
            b'data: {"key":"example.com/one","value":41,"version":1}\n\n',
            b'event: missing\ndata: {"key":"example.com/none"}\n\n',
            b'event: missing\ndata: {"key":"example.com/two"}\n\n',
        ]
        for operation, event in (
            (HIT, b'data: {"key":"example.com/two","value":1,"version":1}\n\n'),
            (HIT, b'data: {"key":"example.com/two","value":2,"version":2}\n\n'),
            (Delete(), b'event: deleted\ndata: {"key":"example.com/two"}\n\n'),
            (HIT, b'data: {"key":"example.com/two","value":1,"version":1}\n\n'),
        ):
            await ledger.count(Key("example.com", "two"), operation)
            assert await next_event() == event
        following.end_all()
        assert await next_event() == b"", "a restart ends the stream, and the browser comes again"


@pytest.mark.parametrize(
    ("target", "status", "message"),
    [
        ("/live", 400, "name the counters: /live?key=NAMESPACE/KEY&key=NAMESPACE/KEY"),
        ("/live?name=example.com/one", 400, "name the counters: /live?key=NAMESPACE/KEY&key=NAMESPACE/KEY"),
        *(
            (f"/live?key=example.com/one&key={name}", 400, "each key is NAMESPACE/KEY, and both have 3 to 64 ")
            for name in ("", "one", "a/one", "example.com/one/two", "example.com/one%0A", ":HOST:/one")
        ),
        ("/live?" + "".join(f"&key=a.b/{n:03}" for n in range(101)), 400, "one connection follows 100 counters at"),
        ("/live/one?key=example.com/one", 404, "not found"),
    ],
)
async def test_many_counters_are_refused_with_a_reason(target: str, status: int, message: str) -> None:
    public = LiveCounters(Following(NO_LEDGER), ClientAddresses())
    async with stream(public, target) as (answered, headers, told):
        assert (answered, headers["access-control-allow-origin"]) == (status, "*")
        assert message in (await told.get()).decode()


async def test_each_counter_of_a_connection_takes_a_place(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_counters, "STREAMS_OF_ONE_ADDRESS", 3)
    two = "/live?key=example.com/one&key=example.com/two"
    async with followed(ledger) as following:
        public = LiveCounters(following, ClientAddresses())
        async with stream(public, two) as (first, _, _):
            async with stream(public, two) as (second, headers, _):
                assert (first, second, headers["retry-after"]) == (200, 429, "30")
            async with stream(public, two, method="HEAD") as (other, _, _):
                assert other == 429
        await until(lambda: following.hub.watchers == 0)
        async with stream(public, two, method="HEAD") as (status, _, told):
            assert (status, await told.get()) == (200, b"")


def test_the_readme_tells_how_many_connections_are_kept() -> None:
    assert STREAMS_OF_ONE_ADDRESS < STREAMS_AT_MOST < hub.SUBSCRIPTIONS_AT_MOST
    readme = files("tallystick.surfaces.native").joinpath("README.md").read_text("utf-8")
    told = re.search(
        r"follow\s+([\d,]+)\s+counters at most, .*? may take ([\d,]+) of the server's ([\d,]+)", readme, re.DOTALL
    )
    assert told is not None
    numbers = [int(number.replace(",", "")) for number in told.groups()]
    assert numbers == [STREAMS_OF_ONE_ADDRESS, STREAMS_AT_MOST, hub.SUBSCRIPTIONS_AT_MOST]
