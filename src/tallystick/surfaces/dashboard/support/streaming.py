"""Pages that are sent in parts: what is known first is seen first, and no script is needed for it."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tallystick.server.extensions import STILL_READS, ConnectionLost
from tallystick.turns import asking, who_asks
from tallystick.web.compression import COMPRESSION, takes_gzip
from tallystick.web.side_by_side import first_to_end

PARTS_HERE = "<!--parts-->"
"""Where a page has the parts that are sent one by one."""
GZIP = 31
"""zlib's window bits for the format of gzip."""
PROBED_EVERY_S = 1.0
"""Interval at which something without meaning is sent to a browser that has closed its side of the connection: it may
still read, or be gone, and only an answer to what is sent tells which."""
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"
"""Nothing, compressed: may stand behind each flush."""


def streamed(scope: Scope, text: str, parts: AsyncIterator[str], headers: Mapping[str, str]) -> Response:
    """A page that is sent in parts, each of which the browser can show at once. None is made for a HEAD request.

    Parts that are being made when the browser is gone are cancelled.

    Args:
        text: the page, with ``PARTS_HERE`` in the place of the parts.
        headers: without ``content-type``.
    """
    whole = _around(text, parts, wanted=scope["method"] != "HEAD")
    gzipped = takes_gzip(scope)
    vary = ", ".join(filter(None, (headers.get("vary"), "accept-encoding")))
    more = {"content-encoding": "gzip"} if gzipped else {}
    return _PageInParts(
        _compressed(whole) if gzipped else _encoded(whole),
        EMPTY_BLOCK if gzipped else b"\n",
        {**headers, **more, "vary": vary},
    )


class _PageInParts(Response):
    """Sends a page until it is whole, or its browser is gone."""

    def __init__(self, pieces: AsyncIterator[bytes], probe: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(None, 200, headers, "text/html; charset=utf-8")
        del self.headers["content-length"]
        self._pieces, self._probe = pieces, probe
        self._asker = who_asks()  # the parts ask when the request's handler has ended
        self._between = False
        """Whether the first piece is sent, and the last one is not."""

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with suppress(ConnectionLost):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            with asking(self._asker):
                await first_to_end(self._send_all(send), self._watch(receive, send))

    async def _send_all(self, send: Send) -> None:
        async for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            self._between = True
        self._between = False
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, receive: Receive, send: Send) -> None:
        """Wait until the connection is lost."""
        while (message := await receive())["type"] != "http.disconnect":
            pass
        if not message.get(STILL_READS):
            return
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(PROBED_EVERY_S):
                    await receive()
                    return
            if self._between:
                await send({"type": "http.response.body", "body": self._probe, "more_body": True})


async def _around(text: str, parts: AsyncIterator[str], *, wanted: bool) -> AsyncIterator[str]:
    before, _, after = text.partition(PARTS_HERE)
    yield before
    if wanted:
        async for part in parts:
            yield part
    yield after


async def _encoded(parts: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for part in parts:
        yield part.encode()


async def _compressed(parts: AsyncIterator[str]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(COMPRESSION, zlib.DEFLATED, GZIP)

    def packed(part: str) -> bytes:
        return packer.compress(part.encode()) + packer.flush(zlib.Z_SYNC_FLUSH)

    async for part in parts:
        yield await asyncio.to_thread(packed, part)
    yield packer.flush()
