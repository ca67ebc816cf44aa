"""An application learns that a connection is lost, and stops; a client that only sends no more gets its answer."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from support.http_server import serving
from support.raw_http import RawClient, request
from tallystick.server.extensions import STILL_READS, ConnectionLost
from tallystick.surfaces.dashboard.support import streaming
from tallystick.surfaces.dashboard.support.streaming import PARTS_HERE, streamed

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITHIN_S = 15.0


class Told:
    """An application that sends until it cannot, and keeps what it is told.

    Attributes:
        raised: by ``send``.
    """

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.raised: Exception | None = None
        self.ended = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while scope["path"] == "/endless" or len(self.messages) < 2:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                self.messages.append(await receive())
                await asyncio.sleep(0.01)
            await send({"type": "http.response.body", "body": b"end"})
            self.messages.append(await receive())
        except OSError as error:
            self.raised = error
            raise
        finally:
            self.ended.set()


async def test_send_raises_after_the_connection_is_lost_and_nothing_is_logged_as_an_error() -> None:
    app = Told()
    with capture_logs() as logs:
        async with serving(app) as started:
            async with RawClient.to(started.address) as client:
                await client.send(request("/endless"))
                await client.reader.readexactly(20)
                client.reset()
                async with asyncio.timeout(WITHIN_S):
                    await app.ended.wait()
            await started.all_closed()
        assert isinstance(app.raised, ConnectionLost)
        assert app.messages[0]["type"] == "http.request"
        assert set(map(str, app.messages[1:])) <= {"{'type': 'http.disconnect'}"}
        assert [each for each in logs if each["log_level"] == "error"] == []
        assert started.counts.refused["failed"] == 0


async def test_a_client_that_has_finished_sending_is_told_apart_and_gets_its_answer() -> None:
    app = Told()
    async with serving(app) as started, RawClient.to(started.address) as client:
        await client.send(request("/"))
        client.half_close()
        assert (await client.response()).body == b"xxend"
        async with asyncio.timeout(WITHIN_S):
            await app.ended.wait()
    assert app.raised is None
    assert app.messages[1] == {"type": "http.disconnect", STILL_READS: True}
    assert app.messages[2] == {"type": "http.disconnect"}


class Slow:
    """A page whose second part takes as long as a test wants it to.

    Attributes:
        cancelled: set when the part is not needed any more.
    """

    def __init__(self) -> None:
        self.asked, self.known, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        page = streamed(scope, f"<p>before{PARTS_HERE}<p>after", self._parts(), {})
        await page(scope, receive, send)

    async def _parts(self) -> AsyncIterator[str]:
        yield "<p>first"
        self.asked.set()
        try:
            await self.known.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        yield "<p>second"


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PROBED_EVERY_S", 0.05)


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_what_a_page_asks_for_is_given_up_when_its_browser_is_gone(how: str) -> None:
    app = Slow()
    with capture_logs() as logs:
        async with serving(app) as started:
            async with RawClient.to(started.address) as client:
                await client.send(request("/", "Accept-Encoding: gzip"))
                async with asyncio.timeout(WITHIN_S):
                    await app.asked.wait()
                if how == "reset":
                    client.reset()
                else:
                    client.writer.close()
                async with asyncio.timeout(WITHIN_S):
                    await app.cancelled.wait()
            await started.all_closed()
    assert [each for each in logs if each["log_level"] == "error"] == []


@pytest.mark.parametrize("coding", ["gzip", "identity"])
async def test_a_browser_that_sends_no_more_gets_the_whole_page(coding: str) -> None:
    app = Slow()
    async with serving(app) as started, RawClient.to(started.address) as client:
        await client.send(request("/", f"Accept-Encoding: {coding}"))
        client.half_close()
        async with asyncio.timeout(WITHIN_S):
            await app.asked.wait()
        await asyncio.sleep(0.3)
        app.known.set()
        body = (await client.response()).body
        page = gzip.decompress(body) if coding == "gzip" else body
        assert page.replace(b"\n", b"") == b"<p>before<p>first<p>second<p>after"
        assert streaming.EMPTY_BLOCK * 2 in body or body.count(b"\n") >= 2, "it was looked whether the browser is there"
    assert not app.cancelled.is_set()
