"""Streams of live numbers: what they send, when they end, and how many there may be."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from tallystick.errors import StoreBusy
from tallystick.surfaces.dashboard.analytics.viewer import Viewer
from tallystick.surfaces.dashboard.live import streams
from tallystick.surfaces.dashboard.live.pages import LivePages
from tallystick.surfaces.dashboard.live.streams import LiveStreams, News, Reader
from tallystick.surfaces.dashboard.support.event_streams import ENDED, STREAMS_OF_ONE

WITHIN_S = 10.0


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LOOKED_EVERY_S", 0.01)
    monkeypatch.setattr(streams, "CHECKED_EVERY_S", 0.03)


class Watched:
    """What a stream tells, and a reader that may be shut out."""

    def __init__(self, *news: News | Exception) -> None:
        self._news: Iterator[News | Exception] = iter(news)
        self.now: News | Exception = News(0, 0)
        self.may = True
        self.asked = 0

    def reader(self, key: str = "me", network: str | None = None, *, guest: bool = False) -> Reader:
        return Reader(key=key, news=self._next, may_read=self._may_read, network=network, guest=guest)

    async def _next(self) -> News:
        self.asked += 1
        self.now = next(self._news, self.now)
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    async def _may_read(self) -> bool:
        return self.may


class Client:
    """One who is connected.

    Attributes:
        status: of the answer; 0 before it.
        body: what has been sent so far.
    """

    def __init__(self, live: LiveStreams, reader: Reader, method: str = "GET") -> None:
        self.status, self.body = 0, b""
        self._left = asyncio.Event()
        self.task = asyncio.create_task(
            live.response(reader)({"type": "http", "method": method}, self._receive, self._send)
        )

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")

    def leave(self) -> None:
        self._left.set()

    async def read(self, part: bytes) -> None:
        """Wait until something was sent."""
        async with asyncio.timeout(WITHIN_S):
            while part not in self.body:  # noqa: ASYNC110  # nothing tells when it is
                await asyncio.sleep(0.001)

    async def ended(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            await self.task


@asynccontextmanager
async def connected(live: LiveStreams, reader: Reader, method: str = "GET") -> AsyncIterator[Client]:
    client = Client(live, reader, method)
    try:
        yield client
    finally:
        client.leave()
        await client.ended()


def now(visitors: int, number: int, *, counted: bool = True) -> bytes:
    """An event, as it is sent."""
    told = b"true" if counted else b"false"
    return b'event: now\nid: %d\ndata: {"visitors":%d,"counted":%b}\n\n' % (number, visitors, told)


NOBODY = now(0, 1, counted=False)
"""The first event where nothing was counted."""


async def test_only_changes_are_sent() -> None:
    live, watched = LiveStreams(), Watched(News(1, 5), News(1, 5), News(1, 5), News(2, 6), News(2, 1_000_000))
    async with connected(live, watched.reader()) as client:
        await client.read(now(2, 3))
        assert client.status == 200
        assert client.body == b"retry: 2000\n\n" + now(1, 1) + now(2, 2) + now(2, 3)
    assert not len(live)


async def test_events_count_on_after_a_browser_reconnects() -> None:
    live, watched = LiveStreams(), Watched(News(1, 5), News(2, 6))
    reader = msgspec.structs.replace(watched.reader(), after=41)
    async with connected(live, reader) as client:
        await client.read(now(2, 43))
        assert client.body == b"retry: 2000\n\n" + now(1, 42) + now(2, 43)


async def test_what_arrived_at_a_site_that_waits_is_told_as_well() -> None:
    live, watched = LiveStreams(), Watched(News(0, 0, 3))
    async with connected(live, watched.reader()) as client:
        await client.read(b'data: {"visitors":0,"counted":false,"seen":3}')


async def test_a_reader_who_may_not_read_any_more_is_told_so() -> None:
    live, watched = LiveStreams(), Watched()
    async with connected(live, watched.reader()) as client:
        await client.read(NOBODY)
        watched.may = False
        await client.ended()
        assert client.body.endswith(ENDED)


async def test_a_stream_ends_where_the_stores_fail_so_that_the_browser_tries_again() -> None:
    live, watched = LiveStreams(), Watched(News(1, 5), StoreBusy("busy"))
    async with connected(live, watched.reader()) as client:
        await client.ended()
        assert client.body == b"retry: 2000\n\n" + now(1, 1)


async def test_the_server_does_not_wait_for_streams() -> None:
    live, watched = LiveStreams(), Watched()
    async with connected(live, watched.reader()) as client, connected(live, watched.reader("you")) as other:
        await client.read(NOBODY)
        await other.read(NOBODY)
        async with asyncio.timeout(WITHIN_S):
            await live.close_all(within=1_000)
        await client.ended()
        await other.ended()
    async with connected(live, watched.reader()) as late:
        await late.ended()
        assert late.body == b"retry: 2000\n\n"


async def test_the_end_of_earlier_streams_is_not_that_of_all() -> None:
    live, watched = LiveStreams(), Watched()
    async with connected(live, watched.reader()) as client:
        await client.read(NOBODY)
    async with connected(live, watched.reader()) as client:
        await client.read(NOBODY)
        async with asyncio.timeout(WITHIN_S):
            await live.close_all(within=1_000)
        assert not len(live)


async def test_nothing_is_waited_for_without_streams() -> None:
    async with asyncio.timeout(WITHIN_S):
        await LiveStreams().close_all(within=1_000)


async def test_one_person_has_a_dozen_and_gives_them_back() -> None:
    live, watched = LiveStreams(), Watched()
    clients = [Client(live, watched.reader()) for _ in range(STREAMS_OF_ONE)]
    for client in clients:
        await client.read(NOBODY)
    async with connected(live, watched.reader()) as refused:
        await refused.ended()
        assert refused.status == 429
        assert b"Too many pages of yours show live numbers at once." in refused.body
    async with connected(live, watched.reader("you")) as other:
        await other.read(NOBODY)
    for client in clients:
        client.leave()
        await client.ended()
    async with connected(live, watched.reader()) as client:
        await client.read(NOBODY)


async def test_guests_together_are_limited_and_take_no_stream_of_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS_OF_GUESTS", 1)
    monkeypatch.setattr(streams, "STREAMS_OF_PEOPLE", 1)
    live, watched = LiveStreams(), Watched()
    async with connected(live, watched.reader("a guest", guest=True)) as guest:
        await guest.read(NOBODY)
        async with connected(live, watched.reader("another guest", guest=True)) as refused:
            await refused.ended()
            assert refused.status == 503
            assert b"This page works without" in refused.body
        async with connected(live, watched.reader("a person")) as person:
            await person.read(NOBODY)
            assert len(live) == 2
            async with connected(live, watched.reader("another person")) as refused:
                await refused.ended()
                assert refused.status == 503
        async with asyncio.timeout(WITHIN_S):
            await live.close_all(within=1_000)
    assert not len(live)


async def test_the_addresses_of_one_network_are_limited_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS_OF_NETWORK", 2)
    live, watched = LiveStreams(), Watched()
    readers = [watched.reader(f"2001:db8:0:{number}::/64", "2001:db8::/48", guest=True) for number in range(3)]
    async with connected(live, readers[0]) as first, connected(live, readers[1]) as second:
        await first.read(NOBODY)
        await second.read(NOBODY)
        async with connected(live, readers[2]) as refused:
            await refused.ended()
            assert refused.status == 429
        async with connected(live, watched.reader("2001:db8:1::/64", "2001:db8:1::/48", guest=True)) as other:
            await other.read(NOBODY)
        assert len(live) == 2
    async with connected(live, readers[2]) as later:
        await later.read(NOBODY)


async def test_only_the_head_is_sent_where_only_that_is_asked_for() -> None:
    live, watched = LiveStreams(), Watched()
    async with connected(live, watched.reader(), "HEAD") as client:
        await client.ended()
        assert (client.status, client.body, watched.asked) == (200, b"", 0)


async def test_a_stream_is_for_those_who_see_what_they_saw_at_first() -> None:
    first = Viewer(sites=(), base="/share/x")
    seen = [first, msgspec.structs.replace(first, locked=(["is", "event:page", ["/a"]],))]
    seen.append(msgspec.structs.replace(first, may_change=True))

    async def again(_request: object, _site: str = "") -> Any:
        return seen.pop(0)

    async def request_of(http: object) -> Any:
        return SimpleNamespace(http=http)

    services: Any = SimpleNamespace(statistics=None)
    guard: Any = SimpleNamespace(page_request=request_of)
    viewers: Any = SimpleNamespace(of=again)
    other: Any = None
    pages = LivePages(services, guard, viewers, other, other, LiveStreams())
    request: Any = SimpleNamespace(http=SimpleNamespace(path_params={"site": "x"}))
    found = [await pages._may_read(request, first) for _ in range(3)]  # noqa: SLF001  # a stream asks it after 20 s
    assert found == [True, False, False]
