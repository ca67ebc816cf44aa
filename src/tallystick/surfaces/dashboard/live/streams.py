"""Streams of server-sent events for pages: how many visitors there are now."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import msgspec
from msgspec import Struct
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tallystick.errors import StoreUnavailable
from tallystick.surfaces.dashboard.support.event_streams import (
    CHECKED_EVERY_S,
    ENDED,
    STREAMS_OF_ONE,
    StreamResponse,
    send_stream,
)
from tallystick.web.event_stream import RETRY
from tallystick.web.places import Places
from tallystick.web.rate_limit import WIDER

STREAMS_OF_PEOPLE = STREAMS_OF_GUESTS = 250
"""Apart, so that guests of public sites never take the streams of those who are logged in."""
STREAMS_OF_NETWORK = WIDER * STREAMS_OF_ONE
"""Streams of guests with addresses of one IPv6 network of 48 bits."""
LOOKED_EVERY_S = 1.0
"""Interval at which a stream looks for a change, and so the shortest time between two events."""

_encode = msgspec.json.Encoder().encode


class News(Struct, frozen=True):
    """What a stream tells when it changes.

    Attributes:
        newest: the id of the newest hit among those of the visitors; 0 without one. It is not told: ids are the
            server's, and would tell how much other sites are visited.
        seen: of a site that waits for its first hit, how much has arrived that does not count; None for others.
    """

    visitors: int
    newest: int
    seen: int | None = None


class Reader(Struct, frozen=True, kw_only=True):
    """Who reads a stream, and what.

    Attributes:
        key: places are counted by it.
        network: of guests, places of all keys in it are limited as well; None for no such limit.
        guest: whether it is somebody without a login.
        after: the number of the last event that the browser has; it counts on after it reconnects.
        news: of the sites of the page.
        may_read: whether the reader may still see them.
    """

    key: Hashable
    news: Callable[[], Awaitable[News]]
    may_read: Callable[[], Awaitable[bool]]
    network: Hashable | None = None
    guest: bool = False
    after: int = 0


class LiveStreams:
    """The open streams: limited in number, and ended before the server stops."""

    def __init__(self) -> None:
        self._of_people = Places(STREAMS_OF_PEOPLE, STREAMS_OF_ONE)
        self._of_guests = Places(STREAMS_OF_GUESTS, STREAMS_OF_ONE)
        self._of_networks = Places(STREAMS_OF_GUESTS, STREAMS_OF_NETWORK)
        self._stopping, self._all_closed = asyncio.Event(), asyncio.Event()

    def __len__(self) -> int:
        """The number of open streams."""
        return len(self._of_people) + len(self._of_guests)

    def response(self, reader: Reader) -> Response:
        """A stream for a reader; or, where there are too many, the refusal."""
        return StreamResponse(partial(self.send, reader))

    async def close_all(self, within: float) -> None:
        """End all streams, and the later ones at once. Returns when all are closed.

        Args:
            within: seconds after which it stops waiting.
        """
        self._stopping.set()
        if not len(self):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._all_closed.wait()

    async def send(self, reader: Reader, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with a stream until the reader leaves, or may read no longer.

        Raises:
            NoPlace: there are too many; nothing was sent.
        """
        with self._place(reader):
            await send_stream(self._events(reader), scope, receive, send)

    @contextmanager
    def _place(self, reader: Reader) -> Iterator[None]:
        """A place for a stream, for as long as the block runs."""
        try:
            with ExitStack() as places:
                places.enter_context((self._of_guests if reader.guest else self._of_people).held(reader.key))
                if reader.network is not None:
                    places.enter_context(self._of_networks.held(reader.network))
                self._all_closed.clear()
                yield
        finally:
            if not len(self):
                self._all_closed.set()

    async def _events(self, reader: Reader) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        told, number, checked = None, reader.after, clock()
        yield RETRY
        # Where the stores fail the stream ends, and the browser reconnects.
        with suppress(StoreUnavailable):
            while not self._stopping.is_set():
                if clock() - checked >= CHECKED_EVERY_S:
                    if not await reader.may_read():
                        yield ENDED
                        return
                    checked = clock()
                news = await reader.news()
                if news != told:
                    told, number = news, number + 1
                    yield _event(number, news)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOKED_EVERY_S):
                        await self._stopping.wait()


def _event(number: int, news: News) -> bytes:
    told: dict[str, int | bool] = {"visitors": news.visitors, "counted": news.newest > 0}
    if news.seen is not None:
        told["seen"] = news.seen
    return b"event: now\nid: %d\ndata: %b\n\n" % (number, _encode(told))
