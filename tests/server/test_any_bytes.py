"""Any bytes in any pieces, and clients that come and go: nothing is raised, left over or done twice."""

import asyncio
import gc
import random
import re
import weakref
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from support.memory_connection import TURNS, MemoryServer, MemoryTransport, settled, turns
from support.raw_http import request
from tallystick.server.connection import Connection
from tallystick.server.hot_lane import Answer, HotRequest
from tallystick.server.limits import MOST_PIPELINED, SLICE

STREAMS = 500

CHUNKS = b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"
OFFER = ("Connection: Upgrade", "Upgrade: h2c")
REQUESTS = (
    request("/hot/a"),
    request("/hot/b", "Content-Length: 0", method="POST"),
    request("/hot/a", method="HEAD"),
    request("/hot/a", "Connection: close"),
    request("/hot/a", version="1.0"),
    request("/hot/x?" + "x" * 500),
    request("/hot/c", CHUNKED, method="POST") + CHUNKS,
    request("/unread", CHUNKED, method="POST") + CHUNKS,
    request("/a"),
    request("/parts"),
    request("/parts", method="HEAD"),
    request("/parts", "Connection: keep-alive", version="1.0"),
    request("/d", "Content-Length: 11", method="POST") + b"hello world",
    request("/d", "Content-Length: 3", "Expect: 100-continue", method="POST") + b"abc",
    request("/d", *OFFER, "Content-Length: 3", method="POST") + b"abc",
    request("/hot/d", *OFFER),
    request("/a", "Connection: close"),
    request("http://example.com/a"),
    request("*", method="OPTIONS"),
    request("/a", "Cookie: " + "c" * 5_000),
    request("/hot/a", "Host: y"),
    request("/a", "Expect: z"),
    request("/a", method="FETCH"),
    b"\r\n\r\n",
)
PIECES = (
    *[b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"0\r\n\r\n", b"5\r\n", b"GET ", b"%", b"\r\n\r\n", b";x=y"],
    *[b"HTTP/1.0", b"HTTP/1.1", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"],
)


def stream(chance: random.Random) -> bytes:
    """Requests, often with something wrong in them; ASCII, so that it does not matter how it is cut."""
    data = b"".join(chance.choice(REQUESTS) for _ in range(chance.choice([1, 1, 2, 3, 5, 20, 150])))
    for _ in range(chance.choice([0, 0, 1, 1, 2])):
        place = chance.randrange(len(data) + 1)
        inserted = chance.choice([chance.choice(PIECES), bytes(chance.randrange(128) for _ in range(20)), b""])
        data = data[:place] + inserted + data[place + chance.choice([0, 1, 15]) :]
    return data


def cut(chance: random.Random, data: bytes, number: int) -> list[bytes]:
    """The same bytes in pieces."""
    places = sorted(chance.randrange(len(data) + 1) for _ in range(number))
    return [data[start:end] for start, end in pairwise([0, *places, len(data)]) if start < end]


class Doing:
    """An application and a lane that write down what they carry out.

    Attributes:
        at_once: whether the lane answers at once.
    """

    def __init__(self) -> None:
        self.done: list[tuple[bytes, bytes]] = []
        self.cut_short = 0
        self.at_once = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/unread":
            while (message := await receive())["type"] == "http.request":
                if not message["more_body"]:
                    break
            else:
                self.cut_short += 1
                return
        self.done.append((scope["method"].encode(), scope["raw_path"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/parts":
            await send({"type": "http.response.body", "body": b"some", "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"more"})

    def take(self, request: HotRequest) -> None:
        self.done.append((request.method, request.url.partition(b"?")[0]))
        if self.at_once:
            request.respond(self.answer(request, None))
        else:
            asyncio.get_running_loop().call_soon(request.set_result, None)

    def answer(self, _request: HotRequest, _result: Any) -> Answer:
        return 200, b"content-length: 4\r\n", b"more"

    def refuse(self, _request: HotRequest, error: Exception) -> Answer:
        raise error


def statuses(written: bytearray) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", written) if status != b"100"]


async def delivered(transport: MemoryTransport, pieces: list[bytes]) -> None:
    for piece in pieces:
        for _ in range(TURNS):
            if not transport.paused or transport.is_closing():
                break
            await turns(1)
        if transport.is_closing():
            return
        assert not transport.paused
        transport.protocol.data_received(piece)
        await turns(1)
    await settled(transport)


@pytest.mark.parametrize("seed", range(2))
async def test_it_does_not_matter_how_bytes_are_cut(seed: int) -> None:
    chance, doing = random.Random(seed), Doing()
    server = MemoryServer(doing, {b"/hot/": doing})
    with capture_logs() as logged:
        for _ in range(STREAMS):
            data = stream(chance)
            doing.at_once = chance.random() < 0.5
            results = []
            for pieces in ([data], cut(chance, data, chance.choice([1, 5, len(data)]))):
                doing.done.clear()
                _, transport = server.connect()
                await delivered(transport, pieces)
                results.append((list(doing.done), statuses(transport.written)))
                transport.close()
                await turns(4)
            (one, first), (other, second) = results
            # A request whose body turns out to be malformed may have been carried out before that.
            same = min(len(one), len(other))
            assert one[: same - 1] == other[: same - 1], data
            assert abs(len(one) - len(other)) <= 1, data
            same = min(len(first), len(second))
            assert first[: same - 1] == second[: same - 1], data
            assert abs(len(first) - len(second)) <= 1, data
            assert all(len(done) <= len(answered) for done, answered in results), data
    assert not [line for line in logged if line["event"] != "the application returned without a whole response"]
    nothing_is_left(server)


def nothing_is_left(server: MemoryServer) -> None:
    assert set(server.counts.open.values()) == {0}
    assert not server.state.connections
    assert not server.state.tasks


class Client:
    """Someone who does anything at any moment."""

    def __init__(self, chance: random.Random, server: MemoryServer) -> None:
        self._chance, self._server = chance, server
        self.connection, self.transport = server.connect()
        self.lost = self._deaf = False

    async def send(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            for turn in range(100):
                if not self.transport.paused or self.transport.is_closing():
                    break
                await turns(1)
                if turn == 20:
                    self._hear()
            if self.transport.paused or self.transport.is_closing():
                break
            self.transport.protocol.data_received(piece)
            if not self.transport.is_closing():
                await self._anything()
        await self._leave()

    async def _anything(self) -> None:
        number = self._chance.random()
        if number < 0.05 and not self._deaf:
            self._deaf = True
            self.connection.pause_writing()
        elif number < 0.15:
            self._hear()
        elif number < 0.18:
            self._server.state.stopping = True
            self.connection.shutdown()
        elif number < 0.20:
            self.lost = True
            self.transport.lose(self._chance.choice([None, ConnectionResetError()]))
        elif number < 0.23 and not self._deaf:
            self.connection.check_time(self._server.state.now + self._chance.choice([0, 1_000]))
        elif number < 0.7:
            await turns(1)

    def _hear(self) -> None:
        if self._deaf and not self.transport.lost:
            self.connection.resume_writing()
        self._deaf = False

    async def _leave(self) -> None:
        leaves = not self.transport.is_closing() and not self.transport.paused and self._chance.random() < 0.7
        if leaves and not self.connection.eof_received():
            self.transport.close()
        await turns(10)
        self._hear()
        await settled(self.transport)
        self._server.state.stopping = False


@pytest.mark.parametrize("seed", range(2))
async def test_clients_that_come_and_go(seed: int) -> None:
    chance, doing = random.Random(seed), Doing()
    server = MemoryServer(doing, {b"/hot/": doing})
    with capture_logs() as logged:
        for _ in range(STREAMS * 3):
            data = stream(chance)
            doing.at_once, doing.cut_short = chance.random() < 0.5, 0
            doing.done.clear()
            client = Client(chance, server)
            await client.send(cut(chance, data, chance.choice([0, 1, 3, 10, 40])))
            if not client.lost:
                answered = statuses(client.transport.written).count(200)
                assert answered == len(doing.done), (data, bytes(client.transport.written))
                assert is_at_rest(client.connection, client.transport), data
            client.transport.close()
            await turns(4)
    assert not [line for line in logged if line["event"] != "the application returned without a whole response"]
    nothing_is_left(server)


def is_at_rest(connection: Connection, transport: MemoryTransport) -> bool:
    """Whether all that has arrived is answered, but for a body that is still to come."""
    running = connection._running  # noqa: SLF001
    return transport.is_closing() or running is not None or not (connection.pipeline or connection._hot)  # noqa: SLF001


async def test_what_waits_behind_a_request_is_bounded() -> None:
    doing = Doing()
    server = MemoryServer(doing, {b"/hot/": doing})
    connection, transport = server.connect()
    transport.protocol.data_received(request("/d", "Content-Length: 1", method="POST"))
    transport.protocol.data_received(b"x" + request("/hot/a") * 5_000)
    assert transport.paused
    assert len(connection.pipeline) <= MOST_PIPELINED + SLICE / len(request("/hot/a"))
    await settled(transport)
    assert len(doing.done) == 5_001
    assert not transport.paused
    transport.close()
    await turns(4)


async def test_nothing_is_carried_out_behind_the_last_response() -> None:
    doing = Doing()
    doing.at_once = True
    server = MemoryServer(doing, {b"/hot/": doing})
    _, transport = server.connect()
    server.state.stopping = True
    transport.protocol.data_received(request("/hot/a") * 3)
    assert doing.done == [(b"GET", b"/hot/a")]
    assert transport.written.count(b"connection: close") == 1
    await turns(4)
    nothing_is_left(server)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        request("/hot/a"),
        request("/a"),
        request("/a", "Connection: close"),
        request("/d", *OFFER, "Content-Length: 3", method="POST") + b"abc",
        b"x\r\n\r\n",
        request("/a", "Host: y"),
    ],
)
async def test_a_closed_connection_is_freed_at_once(sent: bytes) -> None:
    """Visitors come with a connection each; the garbage collector runs rarely."""
    doing = Doing()
    server = MemoryServer(doing, {b"/hot/": doing})
    connection, transport = server.connect()
    freed = weakref.ref(connection)
    gc.disable()
    try:
        if sent:
            connection.data_received(sent)
        await turns(10)
        transport.close()
        await turns(4)
        transport.protocol = None  # as event loops do
        del connection
        assert freed() is None
    finally:
        gc.enable()
