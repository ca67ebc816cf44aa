"""Clients that are slow, silent, in the way or gone hold up nobody but themselves, and that not for ever."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from support.http_server import Serving, serving, serving_application
from support.in_process import in_process
from support.raw_http import RawClient, request
from tallystick.server.connection import Connection
from tallystick.server.hot_lane import Answer, HotRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKS_S = 4.0
"""Deadlines are looked at once a second, by a clock that may be a second behind; and machines are slow."""

LARGE = b"x" * 20_000


class App:
    """An application and a lane that answer at once.

    Attributes:
        bodies: what was read of each body.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.hot = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path, status, body = scope["path"], 200, b""
        if path == "/read":
            while (message := await receive())["type"] == "http.request":
                body += message["body"]
                if not message["more_body"]:
                    break
            self.bodies.append(body)
        elif path == "/refuse":
            status = 413
        elif path == "/large":
            body = LARGE
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body or path.encode()})

    def take(self, request: HotRequest) -> None:
        self.hot += 1
        asyncio.get_running_loop().call_soon(request.set_result, None)

    def answer(self, _request: HotRequest, _result: Any) -> Answer:
        return 200, b"content-length: 2000\r\n", b"x" * 2_000

    def refuse(self, _request: HotRequest, _error: Exception) -> Answer:
        return 500, b"content-length: 0\r\n", b""


@pytest.fixture
def app() -> App:
    return App()


@pytest_asyncio.fixture(loop_scope="module")
async def started(app: App, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serving]:
    monkeypatch.setattr("tallystick.server.connection.WRITTEN_WITHIN_S", 1.0)
    monkeypatch.setattr("tallystick.server.connection.UNREAD_BODY_WITHIN_S", 0.5)
    async with serving(app, lanes={b"/hot/": app}, head_within_s=0.5, idle_s=1.0, connections=6) as started:
        yield started


def connections(started: Serving) -> list[Connection]:
    return [each for each in started.server._state.connections if isinstance(each, Connection)]  # noqa: SLF001


async def test_heads_that_do_not_become_complete(started: Serving) -> None:
    async def dribble(client: RawClient) -> None:
        for byte in request("/" + "x" * 1_000):
            client.writer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    began = time.monotonic()
    async with AsyncExitStack() as stack:
        slow, half, later, silent = [
            await stack.enter_async_context(RawClient.to(started.address)) for _ in ("slow", "half", "later", "silent")
        ]
        dribbling = asyncio.create_task(dribble(slow))
        await half.send(request("/a")[:-2])
        assert (await later.ask(request("/a"))).status == 200
        await later.send(b"GET")
        for client in (slow, half, later):
            response = await client.response()
            assert (response.status, response.closes) == (408, True)
            assert await client.ends(1) == b""
        assert await silent.ends(TICKS_S) == b""
        dribbling.cancel()
    assert time.monotonic() - began < 0.5 + TICKS_S
    assert started.counts.refused["head too slow"] == 3
    await started.all_closed()


async def test_the_time_of_a_head_begins_anew_with_each_request(started: Serving) -> None:
    async with RawClient.to(started.address) as client:
        for _ in range(6):
            await client.send(b"GET /a HT")
            await asyncio.sleep(0.2)
            assert (await client.ask(b"TP/1.1\r\nHost: x\r\n\r\n")).status == 200


async def test_idle_connections_end(started: Serving) -> None:
    async with RawClient.to(started.address) as cold, RawClient.to(started.address) as hot:
        assert (await cold.ask(request("/a"))).status == 200
        assert (await hot.ask(request("/hot/a"))).status == 200
        await asyncio.sleep(0.6)
        assert (await hot.ask(request("/hot/a"))).status == 200
        began = time.monotonic()
        assert await cold.ends(TICKS_S) == b""
        assert await hot.ends(TICKS_S) == b""
        assert time.monotonic() - began < TICKS_S
    await started.all_closed()


@pytest.mark.parametrize("path", ["/hot/a", "/large"])
async def test_a_client_that_does_not_read(started: Serving, path: str) -> None:
    async with RawClient.to(started.address) as deaf, RawClient.to(started.address) as other:
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        sending = asyncio.create_task(_send_without_end(deaf, request(path)))
        began = time.monotonic()
        most = 0
        while len(connections(started)) == 2:
            response = await other.ask(request("/hot/b"))
            assert response.status == 200
            for connection in connections(started):
                most = max(most, connection.transport.get_write_buffer_size())
                assert len(connection.pipeline) < 300
            await asyncio.sleep(0.005)
            assert time.monotonic() - began < 15
        assert most < 200_000
        assert (await other.ask(request("/hot/b"))).status == 200
        sending.cancel()


async def _send_without_end(client: RawClient, sent: bytes) -> None:
    while not client.writer.is_closing():
        await client.send(sent * 100)
        await asyncio.sleep(0)


async def test_beyond_the_limit_of_connections(started: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.server.connection.BEYOND_LIMIT", 2)
    async with AsyncExitStack() as stack:

        async def connected() -> RawClient:
            return await stack.enter_async_context(RawClient.to(started.address))

        within = [await connected() for _ in range(6)]
        for client in within:
            assert (await client.ask(request("/hot/a"))).status == 200
        beyond = [await connected() for _ in range(2)]
        assert await (await connected()).ends(1) == b""
        for client, path in zip(beyond, ("/hot/a", "/a"), strict=True):
            response = await client.ask(request(path) * 3)
            assert (response.status, response.closes) == (503, True)
            assert response.header("retry-after") == "5"
            assert await client.ends(1) == b""
        assert started.counts.refused["too many connections"] == 3
        assert (await within[0].ask(request("/hot/a"))).status == 200
        for client in beyond:
            client.writer.close()
        async with asyncio.timeout(5):
            while len(connections(started)) > 6:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        within.pop().writer.close()
        await asyncio.sleep(0.05)
        assert (await (await connected()).ask(request("/hot/a"))).status == 200
        assert await (await connected()).ends(5) == b""  # it asks for nothing


@pytest.mark.parametrize("last", [(), ("Connection: close",)])
async def test_a_refusal_before_the_body_has_arrived_reaches_the_client(
    started: Serving, last: tuple[str, ...]
) -> None:
    size = 8_000_000
    async with RawClient.to(started.address) as client:
        sending = asyncio.create_task(
            client.send(request("/refuse", f"Content-Length: {size}", *last, method="POST"), b"x" * size)
        )
        response = await client.response()
        assert (response.status, response.closes) == (413, bool(last))
        if last:
            assert await client.ends(TICKS_S) == b""
        else:
            await sending
            assert (await client.ask(request("/a"))).status == 200
        sending.cancel()


async def test_a_refused_body_that_does_not_end(started: Serving) -> None:
    async with RawClient.to(started.address) as client:
        response = await client.ask(request("/refuse", "Content-Length: 100", method="POST") + b"x")
        assert response.status == 413
        assert await client.ends(TICKS_S) == b""


async def test_a_body_is_asked_for_when_it_is_read(started: Serving, app: App) -> None:
    async with RawClient.to(started.address) as client:
        await client.send(request("/read", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.ask(b"12345")).body == b"12345"
        assert not (await client.ask(request("/a"))).closes
        # It sends the body without waiting.
        answer = await client.ask(request("/read", "Expect: 100-Continue", "Content-Length: 2", method="POST") + b"67")
        assert answer.body == b"67"
    assert app.bodies == [b"12345", b"67"]


async def test_a_body_that_is_not_wanted_is_not_asked_for(started: Serving) -> None:
    async with RawClient.to(started.address) as client:
        await client.send(request("/refuse", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        answer = await client.reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close\r\n" in answer
        assert await client.ends(TICKS_S) == b"/refuse"


async def test_http_1_0_is_not_told_to_continue(started: Serving, app: App) -> None:
    async with RawClient.to(started.address) as client:
        sent = request("/read", "Expect: 100-continue", "Content-Length: 5", method="POST", version="1.0")
        await client.send(sent + b"12345")
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert app.bodies == [b"12345"]


@pytest.mark.parametrize("seed", range(3))
async def test_clients_that_hang_up_disturb_nobody(tmp_path: Path, seed: int) -> None:
    """Those that leave after their request has arrived are counted all the same."""
    chance = random.Random(seed)
    async with in_process(tmp_path) as running, serving_application(running.application) as started:
        lost = 0

        async def leave(number: int) -> None:
            nonlocal lost
            async with RawClient.to(started.address) as client:
                sent = request(f"/hit/example.com/leaving{chance.choice(['', '?callback=f'])}")
                await client.send(sent)
                if number % 3 == 0:
                    client.half_close()
                elif number % 3 == 1:
                    await client.response()
                    await client.send(sent[: chance.randrange(1, len(sent))])
                    client.reset()
                else:
                    lost += 1  # a reset may overtake the request
                    client.reset()

        async def stay() -> None:
            async with RawClient.to(started.address) as client:
                for _ in range(50):
                    assert (await client.ask(request("/hit/example.com/staying"))).status == 200

        async with asyncio.TaskGroup() as group:
            for number in range(150):
                group.create_task(leave(number))
            for _ in range(8):
                group.create_task(stay())
        await started.all_closed()
        staying, leaving = [
            (await running.ask(f"/get/example.com/{name}")).json()["value"] for name in ("staying", "leaving")
        ]
        assert staying == 400
        assert 150 - lost <= leaving <= 150
        assert not started.server._state.tasks  # noqa: SLF001
