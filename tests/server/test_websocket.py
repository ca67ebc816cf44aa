"""WebSockets of the HTTP server: what clients send, do not send, do not read."""

import asyncio
import random
import socket
import struct
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import structlog
from msgspec.structs import replace
from uvicorn.protocols.utils import ClientDisconnected
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support.http_server import Serving, refused_in_text, serving
from support.ledgers import until
from tallystick.server import http_server, websocket
from tallystick.server.extensions import NO_PONG, SENT_WITHIN
from tallystick.server.hot_lane import Answer
from tallystick.server.refusals import Refusal

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"mask"
HANDSHAKE = {
    "Host": "x",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class App:
    """An ASGI application; the path says what it does.

    Attributes:
        heard: every message from clients.
        running: sockets that are with it.
        go: a slow opening waits for it.
    """

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.running = 0
        self.go = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.running += 1
        try:
            assert (await receive())["type"] == "websocket.connect"
            await getattr(self, scope["path"][1:])(receive, send)
        finally:
            self.running -= 1

    async def echo(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept", NO_PONG: (4408, "no pong came")})
        while (message := await receive())["type"] == "websocket.receive":
            self.heard.append(message.get("text") or message.get("bytes"))
            await send({**message, "type": "websocket.send"})
        self.heard.append((message["code"], message.get("reason")))

    async def slow(self, receive: Any, send: Any) -> None:
        await self.go.wait()
        await self.echo(receive, send)

    async def deaf(self, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await self.go.wait()

    async def late(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await self.go.wait()
        with suppress(ClientDisconnected):
            while True:
                await send({"type": "websocket.send", "text": "is anybody there?"})
                await asyncio.sleep(0.01)
        self.heard += [await receive() for _ in range(10)]

    async def flood(self, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "bytes": bytes(10_000)})
            self.heard.append(10_000)

    async def flood_and_close(self, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        try:
            async with asyncio.timeout(0.3):
                while True:
                    await send({"type": "websocket.send", "bytes": bytes(10_000)})
        except TimeoutError:
            await send({"type": "websocket.close", "code": 4413, "reason": "too slow"})

    async def bye(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})
        await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
        self.heard.append((await receive()).get("code"))
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.send", "text": "more"})
        self.heard.append("closed")

    async def deny(self, _receive: Any, send: Any) -> None:
        headers = [(b"x-reason", b"no"), (b"content-type", b"application/json")]
        await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b'{"error":', "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b'"no"}'})

    async def forbid(self, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.close"})

    async def fail(self, _receive: Any, _send: Any) -> None:
        msg = "before"
        raise ValueError(msg)

    async def fail_later(self, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        msg = "after"
        raise ValueError(msg)

    async def silent(self, _receive: Any, _send: Any) -> None:
        return


class Raw:
    """A client that writes its own frames, and reads only what the test wants."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, opcode: int, payload: bytes = b"", *, fin: bool = True) -> None:
        """Send a frame."""
        self.writer.write(framed(opcode, payload, fin=fin))

    async def head(self) -> bytes:
        """The head of the response."""
        async with asyncio.timeout(10):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload."""
        async with asyncio.timeout(10):
            first, length = await self.reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            return first & 15, await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """Everything to the end of the connection; a reset is an end too."""
        received = b""
        async with asyncio.timeout(10):
            try:
                while part := await self.reader.read(65_536):
                    received += part
            except ConnectionResetError:
                pass
        return received


def framed(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A client's frame."""
    size = len(payload)
    if size < 126:
        length = struct.pack("!B", 128 | size)
    else:
        length = struct.pack("!BH", 254, size) if size < 65_536 else struct.pack("!BQ", 255, size)
    # As one number: byte by byte takes a second for a megabyte.
    mask = (MASK * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload) ^ int.from_bytes(mask)
    return bytes([opcode | (128 if fin else 0)]) + length + MASK + masked.to_bytes(size)


def request(path: str, method: str = "GET", without: str = "", **headers: str) -> bytes:
    """A request for an upgrade."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {name: value for name, value in (HANDSHAKE | named).items() if name != without}
    lines = "".join(f"{name}: {value}\r\n" for name, value in kept.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


@asynccontextmanager
async def raw(running: Serving, first: bytes, receive_buffer: int | None = None) -> AsyncIterator[Raw]:
    """A connection that begins with these bytes."""
    client = socket.socket()
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.setblocking(False)  # noqa: FBT003  # its only argument
    await asyncio.get_running_loop().sock_connect(client, running.address)
    reader, writer = await asyncio.open_connection(sock=client, limit=receive_buffer or 65_536)
    writer.write(first)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def opened(running: Serving, path: str, receive_buffer: int | None = None) -> AsyncIterator[Raw]:
    """A WebSocket of such a client."""
    async with raw(running, request(path), receive_buffer) as client:
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        yield client


def ended(frame: bytes) -> tuple[int, str]:
    """Code and reason of a close frame."""
    assert frame[0] == 128 | CLOSE, frame
    assert len(frame) == 2 + frame[1], frame
    return int.from_bytes(frame[2:4], "big"), frame[4:].decode()


def only_connection(running: Serving) -> Any:
    """The server's end of the only connection."""
    (connection,) = running.server._state.connections  # noqa: SLF001  # what is bounded
    return connection


async def test_messages_pings_and_a_close_of_the_client() -> None:
    app = App()
    async with serving(app) as running:
        async with connect(f"{running.sockets_url}/echo", proxy=None) as client:
            assert running.counts.open == {"http": 0, "websocket": 1, "events": 0}
            assert "sec-websocket-extensions" not in client.response.headers, "no compression"  # type: ignore[union-attr]
            for message in ("text", b"bytes", "x" * 60_000, ["in ", "three ", "parts"]):
                await client.send(message)
                echoed = await client.recv()
                assert echoed == ("".join(message) if isinstance(message, list) else message)
            await (await client.ping())
            await client.close(4000, "bye")
        await until(lambda: not running.counts.open["websocket"])
        assert app.heard[-1] == (4000, "bye")
        assert app.running == 0


async def test_frames_in_the_packet_of_the_request() -> None:
    app = App()
    async with serving(app) as running, raw(running, request("/slow") + framed(PING, b"early")) as client:
        client.send(TEXT, b"one")
        await until(lambda: app.running == 1)
        client.send(TEXT, b"two")
        await asyncio.sleep(0.05)
        app.go.set()
        assert (await client.head()).startswith(b"HTTP/1.1 101 "), "nothing comes before it"
        assert [await client.frame() for _ in range(3)] == [(PONG, b"early"), (TEXT, b"one"), (TEXT, b"two")]


async def test_too_much_before_the_101() -> None:
    app = App()
    async with serving(app) as running, raw(running, request("/slow")) as client:
        client.writer.write(framed(BINARY, bytes(60_000)) * 3)
        assert await client.rest() == b""
        app.go.set()
        await until(lambda: not app.running)


async def test_who_hangs_up_before_the_101() -> None:
    app = App()
    async with serving(app) as running:
        async with raw(running, request("/slow")):
            await until(lambda: app.running == 1)
        await until(lambda: not running.counts.open["websocket"])
        with structlog.testing.capture_logs() as lines:
            app.go.set()
            await until(lambda: not app.running)
        assert lines == []


REFUSED: list[tuple[Mapping[str, str], bytes, bytes]] = [
    ({"without": "Sec-WebSocket-Key"}, b"400", b"missing Sec-WebSocket-Key"),
    ({"Sec_WebSocket_Key": "short"}, b"400", b"invalid Sec-WebSocket-Key"),
    ({"without": "Sec-WebSocket-Version"}, b"426", b"sec-websocket-version: 13\r\n"),
    ({"Sec_WebSocket_Version": "8"}, b"426", b"sec-websocket-version: 13\r\n"),
    ({"method": "POST"}, b"405", b"allow: GET\r\n"),
    ({"X_Long": "x" * 10_000}, b"431", b"too large for a WebSocket"),
    ({"path": f"/{'x' * 10_000}"}, b"431", b"too large for a WebSocket"),
]


@pytest.mark.parametrize(("changed", "status", "part"), REFUSED)
async def test_handshakes_that_are_refused(changed: Mapping[str, str], status: bytes, part: bytes) -> None:
    app = App()
    async with serving(app) as running, raw(running, request(**{"path": "/echo?secret", **changed})) as client:
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert part in answer
        assert b"\r\nconnection: close\r\n" in answer
        assert b"secret" not in answer
        length = int(answer.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        assert len(answer.partition(b"\r\n\r\n")[2]) == length
        assert running.counts.refused["handshake"] == 1
        assert app.heard == []


async def test_what_the_application_refuses() -> None:
    async with serving(App()) as running:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{running.sockets_url}/deny", proxy=None)
        response = refused.value.response
        assert (response.status_code, response.body) == (401, b'{"error":"no"}')
        assert (response.headers["x-reason"], response.headers["connection"]) == ("no", "close")
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{running.sockets_url}/forbid", proxy=None)
        assert refused.value.response.status_code == 403
        await until(lambda: not running.counts.open["websocket"])


def refused_with_path(path: str, refusal: Refusal) -> Answer:
    return refused_in_text(path, replace(refusal, message=f"{path}: {refusal.message}"))


async def test_what_the_application_raises() -> None:
    app = App()
    async with serving(app, refusal_answer=refused_with_path) as running:
        with structlog.testing.capture_logs() as lines:
            for path in ("fail", "silent"):
                async with raw(running, request(f"/{path}?secret")) as client:
                    answer = await client.rest()
                    assert answer.startswith(b"HTTP/1.1 500 ")
                    assert answer.endswith(b"/%b: the request failed" % path.encode())
            async with connect(f"{running.sockets_url}/fail_later?secret", proxy=None) as other:
                with pytest.raises(ConnectionClosed):
                    await other.recv()
                assert other.close_code == 1011
        assert [line["log_level"] for line in lines] == ["error"] * 3
        assert "secret" not in str(lines)
        assert app.running == 0


async def test_a_close_of_the_application() -> None:
    app = App()
    async with serving(app) as running:
        async with connect(f"{running.sockets_url}/bye", proxy=None) as client:
            assert await client.recv() == "hello"
            await client.wait_closed()
        assert (client.close_code, client.close_reason) == (4001, "enough")
        await until(lambda: not running.counts.open["websocket"])
        assert app.heard == [4001, "closed"]


async def test_who_does_not_answer_a_close_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CLOSED_WITHIN_S", 0.1)
    async with serving(App()) as running, opened(running, "/bye") as client:
        assert await client.frame() == (TEXT, b"hello")
        assert ended(await client.rest()) == (4001, "enough")
        await until(lambda: not running.counts.open["websocket"])


async def test_pings_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "PING_EVERY_S", 0.05)
    monkeypatch.setattr(http_server, "PONG_WITHIN_S", 0.2)
    monkeypatch.setattr(websocket, "CLOSED_WITHIN_S", 0.1)
    app = App()
    async with serving(app) as running, opened(running, "/echo") as client:
        for _ in range(5):
            opcode, payload = await client.frame()
            assert opcode == PING
            client.send(PONG, payload)
        opcode, payload = await client.frame()
        client.send(PONG, b"another")
        assert ended(await client.rest()) == (4408, "no pong came")
        await until(lambda: not app.running)
        assert app.heard == [(4408, "no pong came")]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (framed(BINARY, bytes(65_537)), 1009),
        (framed(TEXT, b"x" * 65_000, fin=False) + framed(0, b"x" * 537), 1009),
        (framed(BINARY, bytes(1_000_000)), 1009),
        (framed(TEXT, b"\xff"), 1007),
        (b"\x81\x01x", 1002),
        (framed(11), 1002),
        (framed(0, b"nothing before it"), 1002),
    ],
)
async def test_frames_that_are_refused(frames: bytes, code: int) -> None:
    app = App()
    async with serving(app) as running:
        async with opened(running, "/echo") as client:
            client.writer.write(frames)
            opcode, payload = await client.frame()
            assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, code)
        await until(lambda: not running.counts.open["websocket"])
        assert app.heard[0][0] == code


async def test_invalid_text_and_a_close_in_one_packet() -> None:
    app = App()
    async with serving(app) as running, opened(running, "/echo") as client:
        client.writer.write(framed(TEXT, b"\xff") + framed(CLOSE, (4000).to_bytes(2, "big")))
        assert ended(await client.rest()) == (4000, "")
        await until(lambda: not app.running)
        assert app.heard == [(1007, "the text is not UTF-8")]


async def test_many_tiny_fragments_are_one_message() -> None:
    async with serving(App()) as running, opened(running, "/echo") as client:
        empty, tiny = framed(0, fin=False), framed(0, b"x", fin=False)
        client.writer.write(framed(TEXT, fin=False) + (empty * 9 + tiny) * 2_000 + framed(0))
        assert await client.frame() == (TEXT, b"x" * 2_000)


async def test_messages_wait_for_an_application_that_does_not_take_them() -> None:
    app = App()
    async with serving(app) as running, opened(running, "/deaf") as client:
        client.writer.write(framed(TEXT, b"x") * 1_000_000)
        await asyncio.sleep(0.3)
        connection = only_connection(running)
        assert len(connection.queue._messages) <= websocket.SLICE  # noqa: SLF001
        assert client.writer.transport.get_write_buffer_size() > 1_000_000, "the rest was not read"
        app.go.set()


async def test_a_message_before_the_end_is_not_lost() -> None:
    app = App()
    async with serving(app) as running:
        async with opened(running, "/late") as client:
            client.send(TEXT, b"last words")
            await until(lambda: bool(only_connection(running).read_paused))
        app.go.set()
        await until(lambda: not app.running)
    assert [each["type"] for each in app.heard] == ["websocket.receive"] + ["websocket.disconnect"] * 9


async def test_who_does_not_read_holds_no_more_than_a_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CLOSED_WITHIN_S", 0.1)
    app = App()
    async with serving(app) as running:
        async with opened(running, "/flood", 4_096) as client:
            await until(lambda: len(app.heard) > 3)
            connection = only_connection(running)
            await asyncio.sleep(0.2)
            sent, waiting = len(app.heard), connection.transport.get_write_buffer_size()
            assert waiting <= websocket.WRITE_BUFFER + 11_000
            client.writer.write(framed(PING, bytes(100)) * 5_000)
            await asyncio.sleep(0.2)
            assert (len(app.heard), connection.transport.get_write_buffer_size()) == (sent, waiting)
            assert len(connection._unsent_pong) == 102  # noqa: SLF001
        await until(lambda: not app.running)
        await until(lambda: not running.counts.open["websocket"])


async def test_who_does_not_read_is_cut_off_with_its_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CLOSED_WITHIN_S", 0.2)
    app = App()
    async with serving(app) as running, opened(running, "/flood_and_close", 4_096):
        await until(lambda: app.running == 1)
        begun = time.monotonic()
        await until(lambda: not running.counts.open["websocket"])
        assert time.monotonic() - begun < 5
        assert app.running == 0


async def test_a_ping_that_came_while_nothing_was_read_is_answered_later() -> None:
    app = App()
    async with serving(app) as running, opened(running, "/flood", 4_096) as client:
        await until(lambda: len(app.heard) > 3)
        await asyncio.sleep(0.1)
        client.send(PING, b"first")
        client.send(PING, b"last")
        pongs = []
        while b"last" not in pongs:
            opcode, payload = await client.frame()
            pongs += [payload] if opcode == PONG else []
        assert pongs == [b"last"]


async def test_a_stop_closes_with_1012() -> None:
    app = App()
    async with serving(app) as running:
        async with (
            opened(running, "/echo") as accepted,
            raw(running, request("/slow")) as opening,
            connect(f"{running.sockets_url}/echo", proxy=None) as proper,
        ):
            await until(lambda: app.running == 3)
            begun = time.monotonic()
            stopping = asyncio.create_task(running.server.stop(5))
            assert ended(await accepted.rest()) == (1012, "the server restarts")
            assert (await opening.rest()).startswith(b"HTTP/1.1 503 ")
            await proper.wait_closed()
            assert proper.close_code == 1012
            app.go.set()
            await stopping
            assert time.monotonic() - begun < 3
        assert app.running == 0


async def test_an_application_may_limit_how_long_it_waits_for_who_does_not_read() -> None:
    ended_after: list[float] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept", SENT_WITHIN: 0.2})
        begun = time.monotonic()
        try:
            while True:
                await send({"type": "websocket.send", "text": "x" * 10_000})
        except TimeoutError:
            pass
        ended_after.append(time.monotonic() - begun)

    async with serving(app) as running, opened(running, "/", 4_096):
        await until(lambda: bool(ended_after))
        assert ended_after[0] >= 0.2
        await until(lambda: not running.counts.open["websocket"])


def nonsense(chance: random.Random) -> bytes:
    """A few frames, not all of which are valid."""
    kinds: list[Callable[[], bytes]] = [
        lambda: framed(TEXT, b"hello"),
        lambda: framed(
            chance.choice([0, TEXT, BINARY, PING, PONG]),
            chance.randbytes(chance.choice([0, 1, 100, 126, 1_000])),
            fin=chance.random() < 0.8,
        ),
        lambda: framed(CLOSE, chance.choice([b"", b"\x03\xe8", b"\x03\xe8bye", b"x", b"\x0f\xa0\xff"])),
        lambda: chance.randbytes(chance.randint(1, 30)),
        lambda: framed(BINARY, bytes(chance.choice([65_535, 65_536, 65_537]))),
    ]
    return b"".join(chance.choices(kinds, (5, 10, 2, 2, 1))[0]() for _ in range(chance.randint(0, 12)))


async def behave_oddly(running: Serving, chance: random.Random) -> None:
    """Send anything in pieces of any size, perhaps half-close, perhaps read, and be gone."""
    path = chance.choice(["echo", "echo", "slow", "bye", "deny", "late", "flood", "deaf"])
    content = request(f"/{path}") + nonsense(chance)
    reader, writer = await asyncio.open_connection(*running.address)
    with suppress(OSError, RuntimeError, TimeoutError):
        while content:
            size = chance.choice([1, 7, 100, 5_000, 100_000])
            piece, content = content[:size], content[size:]
            writer.write(piece)
            if chance.random() < 0.2:
                await asyncio.sleep(chance.random() / 100)
        if chance.random() < 0.3:
            writer.write_eof()
        async with asyncio.timeout(chance.random() / 5):
            await reader.read(chance.choice([1, 1_000, -1]))
    writer.transport.abort()


@pytest.mark.parametrize("seed", range(3))
async def test_odd_clients_leave_nothing_behind(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CLOSED_WITHIN_S", 0.1)
    app, chance = App(), random.Random(seed)
    app.go.set()
    unexpected: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unexpected.append(context))
    async with serving(app) as running:
        with structlog.testing.capture_logs() as lines:
            for _ in range(8):
                await asyncio.gather(*(behave_oddly(running, chance) for _ in range(15)))
            await until(lambda: not app.running and not running.counts.open.total())
        assert (lines, unexpected) == ([], [])
