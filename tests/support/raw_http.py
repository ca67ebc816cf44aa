"""Clients that send any bytes and see every byte."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

WITHIN_S = 20.0
"""How long a client waits for what must come."""

_date = re.compile(rb"\r\ndate: [^\r]*")


class Received(NamedTuple):
    """A response; header names are as they came."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header; None without it."""
        for line in self.head.split(b"\r\n")[1:]:
            found, _, value = line.partition(b": ")
            if found == name.encode():
                return value.decode("latin-1")
        return None

    @property
    def timeless(self) -> bytes:
        """Every byte but the Date."""
        assert len(_date.findall(self.head)) == 1, self.head
        return _date.sub(b"", self.head) + b"\r\n\r\n" + self.body

    @property
    def closes(self) -> bool:
        """Whether it says that nothing follows."""
        return self.header("connection") == "close"


class RawClient:
    """A client on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def to(cls, address: tuple[str, int]) -> AsyncIterator[Self]:
        """Connect; closed at the end."""
        client = cls(*await asyncio.open_connection(*address, limit=2**24))
        try:
            yield client
        finally:
            client.writer.close()

    async def send(self, *parts: bytes) -> None:
        """Send bytes, each part in a packet of its own."""
        for part in parts:
            self.writer.write(part)
            if len(parts) > 1:
                await asyncio.sleep(0)
        await self.writer.drain()

    async def ask(self, request: bytes) -> Received:
        """Send a request and wait for its response."""
        await self.send(request)
        return await self.response(request.lstrip()[:5] == b"HEAD ")

    async def response(self, without_body: bool = False) -> Received:  # noqa: FBT001, FBT002
        """Wait for a response; interim ones are passed over.

        Args:
            without_body: the request was a HEAD.
        """
        async with asyncio.timeout(WITHIN_S):
            head = (await self.reader.readuntil(b"\r\n\r\n"))[:-4]
            status = int(head[9:12])
            if status == 100:
                return await self.response(without_body)
            received = Received(status, head, b"")
            if without_body or status in {204, 304}:
                return received
            length = received.header("content-length")
            if length is not None:
                return received._replace(body=await self.reader.readexactly(int(length)))
            if received.header("transfer-encoding") == "chunked":
                return received._replace(body=await self._chunks())
            return received._replace(body=await self.reader.read())

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        assert await self.reader.readline() == b"\r\n"
        return body

    async def ends(self, within: float = WITHIN_S) -> bytes:
        """What comes until the server closes the connection; fails if it does not."""
        async with asyncio.timeout(within):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    def half_close(self) -> None:
        """Send no more, and go on reading."""
        self.writer.write_eof()

    def reset(self) -> None:
        """Break the connection off with RST."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()


def request(url: str, *headers: str, method: str = "GET", version: str = "1.1", host: str | None = "x") -> bytes:
    """A request's head; each header is a line."""
    lines = [f"{method} {url} HTTP/{version}", *([] if host is None else [f"Host: {host}"]), *headers]
    return "\r\n".join([*lines, "", ""]).encode()
