"""Listening clients: thousands of connections with little cost in their own process. See live.py."""

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import cast
from urllib.parse import urlsplit

UPGRADE = (
    "GET /v2/ws HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
)
STREAM = "GET /v2/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
UPDATED = b"counterUpdated"
CONNECTED = b"event: connected"
PING = b"\x89\x04"
"""Head of the server's pings, which have four bytes; in its other frames it cannot stand."""
PONG = b"\x8a\x84\0\0\0\0"
"""Head of their answers, with a mask that changes nothing."""
AT_ONCE = 100
"""Connections that are being opened; a machine of two processors is not a thousand phones."""
WITHIN_S = 60.0


class Crowd:
    """Many listeners.

    Attributes:
        heard: number of changes that all of them received.
        times: when each of them received changes since ``expect``.
    """

    def __init__(self) -> None:
        self.heard = 0
        self.times: list[float] = []
        self._expected = 0
        self._all = asyncio.Event()
        self._members: list[_Listener] = []

    def __len__(self) -> int:
        """How many are open."""
        return len(self._members)

    async def join(self, url: str, request: str, amount: int) -> None:
        """Open this number of additional connections."""
        places = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with places:
                self._members.append(await _opened(self, url, request))

        await asyncio.gather(*(one() for _ in range(amount)))

    def expect(self, changes: int) -> None:
        """Expect this number of changes on each of them from now on."""
        self.times.clear()
        self._expected = self.heard + changes * len(self)
        self._all.clear()

    async def told(self) -> None:
        """Wait until all have received the expected changes."""
        async with asyncio.timeout(WITHIN_S):
            await self._all.wait()

    def note(self, changes: int, now: float) -> None:
        """Record a change that one of them received."""
        self.heard += changes
        self.times.append(now)
        if self.heard >= self._expected:
            self._all.set()

    def leave(self) -> None:
        """Close all connections without a close frame."""
        for member in self._members:
            member.transport.abort()
        self._members.clear()


class _Listener(asyncio.Protocol):
    """One connection. Messages are not parsed: changes are counted by their method's name."""

    __slots__ = ("_crowd", "_first", "opened", "transport")
    transport: asyncio.Transport

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self.opened: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._first = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's have no such base

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            self._first += data
            # A stream has its place in the numbering of changes from its first event on.
            if not self._first.startswith(b"HTTP/1.1 200") or CONNECTED in self._first:
                self.opened.set_result(self._first)
            return
        if changes := data.count(UPDATED):
            self._crowd.note(changes, time.perf_counter())
        place = data.find(PING)
        if place >= 0:
            self.transport.write(PONG + data[place + len(PING) : place + len(PING) + 4])

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionError("closed"))


async def _opened(crowd: Crowd, url: str, request: str) -> _Listener:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, listener = await loop.create_connection(lambda: _Listener(crowd), parts.hostname, parts.port)
    listener.transport.write(request.encode())
    head = await asyncio.wait_for(listener.opened, WITHIN_S)
    if not head.startswith((b"HTTP/1.1 101", b"HTTP/1.1 200")):
        msg = f"{url}: {head[:200]!r}"
        raise SystemExit(msg)
    return listener


class Counting:
    """One connection that sends increments, one after the other."""

    def __init__(self, url: str, token: str, counter: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 0))
        self._socket.setblocking(False)  # noqa: FBT003  # its only argument
        self._request = (
            f"POST /v1/counters/{counter}/increment HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
            "Content-Length: 0\r\n\r\n"
        ).encode()

    async def increment(self) -> None:
        """Count once. Returns after the response."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._socket, self._request)
        answer = await loop.sock_recv(self._socket, 65_536)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(answer.decode())

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which a part of them lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]
