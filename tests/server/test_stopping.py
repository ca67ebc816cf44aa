"""A server that stops answers what it has accepted, says that nothing follows, and closes everything else."""

import asyncio
import re
import signal
import time
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.http_server import serving, serving_application
from support.in_process import in_process
from support.raw_http import RawClient, Received, request
from support.server import RunningServer, running_server
from tallystick.server.hot_lane import Answer, HotRequest

WITHIN_S = 3.0


class Held:
    """An application and a lane that answer when ``release`` is called."""

    def __init__(self) -> None:
        self.begun = 0
        self._open, self._hot = asyncio.Event(), list[HotRequest]()

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.begun += 1
        if scope["path"] == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await self._open.wait()
        if scope["path"] != "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    def take(self, request: HotRequest) -> None:
        self.begun += 1
        self._hot.append(request)

    def answer(self, _request: HotRequest, _result: Any) -> Answer:
        return 200, b"content-length: 4\r\n", b"done"

    def refuse(self, _request: HotRequest, _error: Exception) -> Answer:
        return 500, b"content-length: 0\r\n", b""

    def release(self) -> None:
        self._open.set()
        for each in self._hot:
            each.set_result(None)


async def test_what_was_accepted_is_answered_and_the_rest_is_closed() -> None:
    app = Held()
    async with (
        serving(app, lanes={b"/hot/": app}) as started,
        AsyncExitStack() as stack,
    ):

        async def client(sent: bytes) -> RawClient:
            connected = await stack.enter_async_context(RawClient.to(started.address))
            await connected.send(sent)
            return connected

        hot, cold, stream = [await client(request(path)) for path in ("/hot/a", "/a", "/stream")]
        several = await client(request("/hot/a") + request("/a") + request("/hot/b"))
        half, silent = await client(b"GET /a HTTP/1.1\r\nHost:"), await client(b"")
        body = await client(request("/a", "Content-Length: 2", method="POST") + b"1")
        async with asyncio.timeout(5):
            while app.begun < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        began = time.monotonic()
        started.server.close_listeners()
        assert await half.ends(1) == b""
        assert await silent.ends(1) == b""
        with pytest.raises(ConnectionError):
            await client(b"")
        stopping = asyncio.create_task(started.server.stop(10))
        await asyncio.sleep(0.05)
        assert not stopping.done()
        app.release()
        for each in (hot, cold, body):
            response = await each.response()
            assert (response.body, response.closes) == (b"done", True)
        body.writer.close()  # the server would wait a little for the rest
        responses = [await several.response() for _ in range(3)]
        assert [each.closes for each in responses] == [False, False, True]
        assert (await stream.response()).body == b"begundone"
        for each in (hot, cold, several, stream):
            assert await each.ends(1) == b""
        async with asyncio.timeout(WITHIN_S):
            await stopping
        assert time.monotonic() - began < WITHIN_S
        assert set(started.counts.open.values()) == {0}


async def test_what_does_not_end_is_cut_off() -> None:
    app = Held()
    async with serving(app, lanes={b"/hot/": app}) as started:
        async with RawClient.to(started.address) as stream, RawClient.to(started.address) as hot:
            await stream.send(request("/stream"))
            await hot.send(request("/hot/a"))
            await stream.reader.readuntil(b"begun")
            await started.server.stop(0.2)
            await stream.ends(1)
            assert await hot.ends(1) == b""
        await started.all_closed(1)
        assert not started.server._state.tasks or all(  # noqa: SLF001
            task.cancelling()
            for task in started.server._state.tasks  # noqa: SLF001
        )
        app.release()  # nothing is left to be written to


@pytest.mark.parametrize("pipelined", [1, 5, 200])
async def test_while_clients_count(tmp_path: Any, pipelined: int) -> None:
    """Each counts as long as its connection lasts; the values are those that were answered."""
    async with in_process(tmp_path) as running, serving_application(running.application) as started:
        answered: list[Received] = []

        async def count() -> None:
            try:
                async with RawClient.to(started.address) as client:
                    while True:
                        await client.send(request("/hit/example.com/visits") * pipelined)
                        for _ in range(pipelined):
                            answered.append(await client.response())
                            if answered[-1].closes:
                                assert await client.ends(WITHIN_S) == b""
                                return
            except (ConnectionError, asyncio.IncompleteReadError):
                return

        counting = [asyncio.create_task(count()) for _ in range(20)]
        await asyncio.sleep(0.3)
        began = time.monotonic()
        await started.server.stop(10)
        assert time.monotonic() - began < WITHIN_S
        await asyncio.gather(*counting)
        assert {each.status for each in answered} == {200}
        stored = (await running.ask("/get/example.com/visits")).json()["value"]
        assert len(answered) == stored > 0


def test_a_signal_ends_streams_and_idle_connections_at_once(server: RunningServer) -> None:
    asyncio.run(_stopped_under_streams(server))
    assert server.process.returncode == 0


async def _stopped_under_streams(server: RunningServer) -> None:
    place = urlsplit(server.url)
    address = str(place.hostname), int(place.port or 0)
    async with AsyncExitStack() as stack:
        stream, idle, counting = [await stack.enter_async_context(RawClient.to(address)) for _ in range(3)]
        assert (await idle.ask(request("/hit/example.com/visits"))).status == 200
        await stream.send(request("/live/example.com/visits"))
        assert (await stream.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        values = 1
        while True:
            try:
                response = await counting.ask(request("/hit/example.com/visits"))
            except (ConnectionError, asyncio.IncompleteReadError):
                break
            values += 1
            if response.closes:
                break
        assert await idle.ends(WITHIN_S) == b""
        assert (await stream.ends(WITHIN_S + 2)).endswith(b"0\r\n\r\n")
        await asyncio.to_thread(server.process.wait, 20)
        assert time.monotonic() - began < 10
    assert not re.search("Traceback|error", server.output), server.output
    with running_server(server.data) as again:
        assert again.get("/get/example.com/visits").json() == {"value": values}
