"""The HTTP server in this process, around any ASGI application."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from support.raw_http import WITHIN_S
from tallystick.app import Application
from tallystick.server.hot_lane import Answer, HotLane, header_lines, with_length
from tallystick.server.http_server import HttpServer
from tallystick.server.limits import ConnectionCounts, ConnectionLimits
from tallystick.server.refusals import Refusal, RefusalAnswer


class Serving(NamedTuple):
    """A running server.

    Attributes:
        counts: its connections and refusals.
        address: host and port.
    """

    server: HttpServer
    counts: ConnectionCounts
    address: tuple[str, int]

    @property
    def url(self) -> str:
        """Where it answers requests."""
        return "http://{}:{}".format(*self.address)

    @property
    def sockets_url(self) -> str:
        """Where it accepts WebSockets."""
        return "ws://{}:{}".format(*self.address)

    async def all_closed(self, within: float = WITHIN_S) -> None:
        """Wait until no connection is counted as open; fails if that does not come."""
        async with asyncio.timeout(within):
            while any(self.counts.open.values()):  # noqa: ASYNC110  # a Counter cannot be waited for
                await asyncio.sleep(0.01)


def refused_in_text(_path: str, refusal: Refusal) -> Answer:
    """A refusal of a server without surfaces."""
    headers = [(b"content-type", b"text/plain")]
    if refusal.retry_after is not None:
        headers.append((b"retry-after", b"%d" % refusal.retry_after))
    body = refusal.message.encode()
    return refusal.status, with_length(header_lines(headers), body), body


@asynccontextmanager
async def serving(  # noqa: PLR0913  # options, all with a default
    app: Any,
    *,
    lanes: Mapping[bytes, HotLane] | None = None,
    refusal_answer: RefusalAnswer = refused_in_text,
    counts: ConnectionCounts | None = None,
    path: Path | None = None,
    stop_within: float = 1,
    **limits: Any,
) -> AsyncIterator[Serving]:
    """Serve an ASGI application on a free port.

    Args:
        path: of a Unix socket, in place of the port.
        stop_within: seconds after which connections that are open at the end are cut off.
        limits: those of ``ConnectionLimits``.
    """
    counts = counts or ConnectionCounts()
    server = HttpServer(
        app, lanes=lanes or {}, refusal_answer=refusal_answer, limits=ConnectionLimits(**limits), counts=counts
    )
    bound = socket.socket(socket.AF_INET if path is None else socket.AF_UNIX)
    bound.bind(("127.0.0.1", 0) if path is None else str(path))
    await server.start([bound])
    try:
        yield Serving(server, counts, bound.getsockname() if path is None else ("unix", 0))
    finally:
        await server.stop(stop_within)


@asynccontextmanager
async def serving_application(application: Application, *, hot: bool = True, **limits: Any) -> AsyncIterator[Serving]:
    """Serve the whole application.

    Args:
        hot: whether it has its hot lanes.
    """
    async with serving(
        application,
        lanes=application.hot_lanes if hot else {},
        refusal_answer=application.refusal_answer,
        counts=application.connection_counts if hot else None,
        **limits,
    ) as started:
        yield started
