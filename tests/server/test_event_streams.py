"""Event streams on the HTTP server: who hangs up, who does not read, and how they are counted."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from support.http_server import Serving, serving
from support.ledgers import until
from tallystick.web import event_stream
from tallystick.web.event_stream import send_events, stream_head

REQUEST = b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n"


class Streams:
    """An application with a stream.

    Attributes:
        pieces: sent one after the other; then the stream waits for ``go``.
        open: streams that run.
    """

    def __init__(self, *pieces: bytes, forever: bool = False) -> None:
        self.pieces, self._forever = pieces, forever
        self.go = asyncio.Event()
        self.open = self.sent = 0

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        self.open += 1
        try:
            await send(stream_head([(b"content-type", b"text/event-stream")]))
            await send_events(self._events(), receive, send)
        finally:
            self.open -= 1

    async def _events(self) -> AsyncIterator[bytes]:
        while self._forever:
            yield bytes(10_000)
            self.sent += 1
        for piece in self.pieces:
            yield piece
        await self.go.wait()


async def client(running: Serving, receive_buffer: int | None = None) -> socket.socket:
    """A client that has sent a request."""
    opened = socket.socket()
    if receive_buffer is not None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    opened.setblocking(False)  # noqa: FBT003  # its only argument
    loop = asyncio.get_running_loop()
    await loop.sock_connect(opened, running.address)
    await loop.sock_sendall(opened, REQUEST)
    return opened


async def received(opened: socket.socket, last: bytes) -> bytes:
    """What comes up to some bytes; to the end if there are none."""
    content = b""
    async with asyncio.timeout(10):
        while not (last and content.endswith(last)):
            part = await asyncio.get_running_loop().sock_recv(opened, 65_536)
            if not part:
                break
            content += part
    return content


async def test_a_stream_and_the_next_request_of_its_connection() -> None:
    app = Streams(b"data: 1\n\n", b"data: 2\n\n")
    async with serving(app) as running:
        with await client(running) as opened:
            assert b"data: 1\n\n" in await received(opened, b"data: 2\n\n\r\n")
            assert running.counts.open == {"http": 0, "websocket": 0, "events": 1}
            app.go.set()
            assert await received(opened, b"0\r\n\r\n")
            await until(lambda: running.counts.open == {"http": 1, "websocket": 0, "events": 0})
            await asyncio.get_running_loop().sock_sendall(opened, REQUEST)
            assert await received(opened, b"0\r\n\r\n")
        await until(lambda: not running.counts.open.total())


async def test_who_hangs_up_ends_the_stream() -> None:
    app = Streams(b"data: 1\n\n")
    async with serving(app) as running:
        with structlog.testing.capture_logs() as lines:
            with await client(running) as opened:
                assert await received(opened, b"data: 1\n\n\r\n")
            await until(lambda: not app.open)
            with await client(running) as opened:
                assert await received(opened, b"data: 1\n\n\r\n")
                opened.shutdown(socket.SHUT_WR)
                assert (await received(opened, b"")).endswith(b"0\r\n\r\n"), "it may still read"
            await until(lambda: not app.open)
        assert lines == []


async def test_who_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "SENT_WITHIN_S", 0.2)
    app = Streams(forever=True)
    async with serving(app) as running:
        with structlog.testing.capture_logs() as lines, await client(running, 4_096):
            await until(lambda: app.sent > 3)
            await until(lambda: not app.open)
            await until(lambda: not running.counts.open.total())
        assert lines == []


async def test_comments_while_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "COMMENT_EVERY_S", 0.05)
    async with serving(Streams(b"data: 1\n\n")) as running:
        with await client(running) as opened:
            assert await received(opened, b"data: 1\n\n\r\n")
            content = b""
            while content.count(event_stream.COMMENT) < 3:
                content += await received(opened, event_stream.COMMENT + b"\r\n")
