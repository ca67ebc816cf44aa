"""The HTTP server in this process, around any ASGI application."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tallystick.server.hot_lane import Answer, header_lines, with_length
from tallystick.server.http_server import HttpServer
from tallystick.server.limits import ConnectionCounts, ConnectionLimits
from tallystick.server.refusals import Refusal


class Serving:
    """A server that runs.

    Attributes:
        address: where it listens.
        counts: its connections and refusals.
    """

    def __init__(self, server: HttpServer, address: tuple[str, int], counts: ConnectionCounts) -> None:
        self.server, self.address, self.counts = server, address, counts
        self.url = "http://{}:{}".format(*address)
        self.sockets_url = "ws://{}:{}".format(*address)


def plain_refusal(path: str, refusal: Refusal) -> Answer:
    """A refusal with the path in it."""
    body = f"{path}: {refusal.message}".encode()
    return refusal.status, with_length(header_lines([(b"content-type", b"text/plain")]), body), body


@asynccontextmanager
async def serving(
    app: Any, *, limits: ConnectionLimits | None = None, path: Path | None = None, **options: Any
) -> AsyncIterator[Serving]:
    """Serve an application on a free port, or on a Unix socket; what is still open at the end is cut off."""
    counts = ConnectionCounts()
    options = {"lanes": {}, "refusal_answer": plain_refusal, **options}
    server = HttpServer(app, limits=limits or ConnectionLimits(), counts=counts, **options)
    bound = socket.socket(socket.AF_INET if path is None else socket.AF_UNIX)
    bound.bind(("127.0.0.1", 0) if path is None else str(path))
    await server.start([bound])
    try:
        yield Serving(server, bound.getsockname() if path is None else ("unix", 0), counts)
    finally:
        await server.stop(0)
