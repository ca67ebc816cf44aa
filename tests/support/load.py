"""Clients that count over HTTP as fast as they can, and keep their own books."""

import asyncio
import json
import resource
from asyncio import StreamReader, StreamWriter
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from support.server import RunningServer

WITHIN_S = 30.0
GONE = (ConnectionError, asyncio.IncompleteReadError)
"""What a client sees of a server that went away."""


def allow_many_connections(number: int) -> None:
    """Let this process hold so many sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (number if hard == resource.RLIM_INFINITY else min(number, hard), hard)
        )


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    head: bytes
    body: Any


class Connection:
    """One keep-alive connection, one request at a time."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def to(cls, server: RunningServer) -> AsyncIterator[Self]:
        """Open a connection; it is closed at the end."""
        parts = urlsplit(server.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def get(self, path: str, *headers: str) -> Reply:
        """GET a path; each further header is a line.

        Raises:
            ConnectionError, IncompleteReadError: the server went away.
        """
        self.send(path, *headers)
        return await self.answer()

    async def post(self, path: str, content: object, *headers: str) -> Reply:
        """POST something as JSON.

        Raises:
            ConnectionError, IncompleteReadError: the server went away.
        """
        body = json.dumps(content)
        lines = (f"POST {path} HTTP/1.1", "Host: server", f"Content-Length: {len(body)}", *headers, "", body)
        self.writer.write("\r\n".join(lines).encode())
        return await self.answer()

    def send(self, path: str, *headers: str) -> None:
        """Send a request without waiting for its answer."""
        lines = (f"GET {path} HTTP/1.1", "Host: server", *headers, "", "")
        self.writer.write("\r\n".join(lines).encode())

    async def answer(self) -> Reply:
        """Wait for the answer."""
        async with asyncio.timeout(WITHIN_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await self.reader.readexactly(length)
        return Reply(int(head.split(b" ")[1]), head, json.loads(body))


class Page(NamedTuple):
    """What the books said of one key when they were checked."""

    sent: int
    acknowledged: int
    value: int


class Books:
    """What was sent and what was acknowledged; every request adds 1.

    Attributes:
        sent: requests, by key.
        acknowledged: values, by key, in the order of the answers.
        refused: answers that were no success, by status.
        unanswered: requests whose connection broke.
    """

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.acknowledged: defaultdict[str, list[int]] = defaultdict(list)
        self.refused: Counter[int] = Counter()
        self.unanswered = 0
        self._checked: dict[str, Page] = {}

    @property
    def answers(self) -> int:
        """How many requests were acknowledged."""
        return sum(map(len, self.acknowledged.values()))

    async def count(self, connection: Connection, key: str) -> Reply:
        """One request on one key."""
        self.sent[key] += 1
        try:
            reply = await connection.get(f"/hit/{key}")
        except GONE:
            self.unanswered += 1
            raise
        if reply.status == 200:
            self.acknowledged[key].append(reply.body["value"])
        else:
            self.refused[reply.status] += 1
            assert "error" in reply.body
        return reply

    async def load(
        self,
        server: RunningServer,
        orders: Iterable[Iterable[str]],
        *,
        each: Callable[[], object] = lambda: None,
    ) -> None:
        """One client for each order of keys, until its end or until the server goes away.

        Args:
            each: called after each answer.
        """

        async def client(order: Iterable[str]) -> None:
            try:
                async with Connection.to(server) as connection:
                    for key in order:
                        await self.count(connection, key)
                        each()
            except GONE:
                return

        async with asyncio.TaskGroup() as clients:
            for order in orders:
                clients.create_task(client(order))

    def check(self, values: dict[str, int]) -> None:
        """Nothing acknowledged is lost or was acknowledged twice, and nothing was counted twice."""
        for key, sent in self.sent.items():
            acknowledged = self.acknowledged[key]
            assert len(set(acknowledged)) == len(acknowledged), "a value was acknowledged twice"
            assert max(acknowledged, default=0) <= values[key]
            before = self._checked.get(key, Page(0, 0, 0))
            page = self._checked[key] = Page(sent, len(acknowledged), values[key])
            grown = page.value - before.value
            assert page.acknowledged - before.acknowledged <= grown <= page.sent - before.sent

    def check_exact(self, values: dict[str, int]) -> None:
        """Every request was acknowledged, each value once, and there is nothing besides."""
        assert not self.refused
        assert not self.unanswered
        for key, sent in self.sent.items():
            assert sorted(self.acknowledged[key]) == list(range(1, sent + 1))
            assert values[key] == sent


def values_of(server: RunningServer, keys: Iterable[str]) -> dict[str, int]:
    """The values a server tells; 0 for a counter that is not there."""
    return {key: server.get(f"/get/{key}").json()["value"] or 0 for key in keys}
