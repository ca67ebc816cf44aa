"""A connection of the HTTP server without a socket: what a client does to it happens at once, thousands of times."""

import asyncio
from typing import Any

from support.http_server import refused_in_text
from tallystick.server.connection import Connection
from tallystick.server.hot_lane import HotLane
from tallystick.server.http_server import HttpServer
from tallystick.server.limits import ConnectionCounts, ConnectionLimits

TURNS = 2_000
"""Turns of the event loop after which something that should come is not coming."""


class MemoryTransport(asyncio.Transport):
    """Keeps what is written.

    Attributes:
        ended: whether the server has closed its side.
        lost: whether the protocol knows that the connection is closed.
    """

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 80)})
        self.written = bytearray()
        self.paused = self.ended = self.lost = self._closing = False
        self.protocol: Any = None

    def write(self, data: Any) -> None:
        """Keep data; none may come behind the end."""
        assert not self.lost
        assert not self.ended
        if not self._closing:
            self.written += data

    def can_write_eof(self) -> bool:
        """Whether one side alone can be closed."""
        return True

    def write_eof(self) -> None:
        """Close the server's side."""
        self.ended = True

    def is_closing(self) -> bool:
        """Whether the server has closed the connection."""
        return self._closing

    def close(self) -> None:
        """Close the connection in the next turn of the event loop."""
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self.lose)

    def abort(self) -> None:
        """Like ``close``."""
        self.close()

    def lose(self, error: Exception | None = None) -> None:
        """The connection is gone."""
        if not self.lost:
            self._closing = self.lost = True
            self.protocol.connection_lost(error)

    def pause_reading(self) -> None:
        """Nothing more is delivered."""
        self.paused = True

    def resume_reading(self) -> None:
        """More may be delivered."""
        self.paused = False

    def is_reading(self) -> bool:
        """Whether anything is delivered."""
        return not self.paused

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection over."""
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """What the connection belongs to."""
        protocol: asyncio.BaseProtocol = self.protocol
        return protocol


class MemoryServer:
    """An HTTP server that listens nowhere."""

    def __init__(self, app: Any, lanes: dict[bytes, HotLane]) -> None:
        self.counts = ConnectionCounts()
        self._server = HttpServer(
            app, lanes=lanes, refusal_answer=refused_in_text, limits=ConnectionLimits(), counts=self.counts
        )
        self.state = self._server._state  # noqa: SLF001

    def connect(self) -> tuple[Connection, MemoryTransport]:
        """A new connection."""
        connection, transport = self._server._connection(), MemoryTransport()  # noqa: SLF001
        transport.protocol = connection
        connection.connection_made(transport)
        return connection, transport


async def turns(number: int) -> None:
    """Let the event loop turn."""
    for _ in range(number):
        await asyncio.sleep(0)


async def settled(transport: MemoryTransport) -> None:
    """Wait until nothing more is written."""
    size = -1
    for _ in range(TURNS):
        if size == len(transport.written):
            return
        size = len(transport.written)
        await turns(12)
