"""Pages that are sent in parts: what is known first is seen first, and no script is needed for it."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping

from starlette.responses import StreamingResponse
from starlette.types import Scope

from tallystick.web.compression import COMPRESSION, takes_gzip

PARTS_HERE = "<!--parts-->"
"""Where a page has the parts that are sent one by one."""
GZIP = 31
"""zlib's window bits for the format of gzip."""


def streamed(scope: Scope, text: str, parts: AsyncIterator[str], headers: Mapping[str, str]) -> StreamingResponse:
    """A page that is sent in parts, each of which the browser can show at once. None is made for a HEAD request.

    Args:
        text: the page, with ``PARTS_HERE`` in the place of the parts.
        headers: without ``content-type``.
    """
    whole = _around(text, parts, wanted=scope["method"] != "HEAD")
    gzipped = takes_gzip(scope)
    vary = ", ".join(filter(None, (headers.get("vary"), "accept-encoding")))
    more = {"content-encoding": "gzip"} if gzipped else {}
    return StreamingResponse(
        _compressed(whole) if gzipped else _encoded(whole),
        200,
        {**headers, **more, "vary": vary},
        "text/html; charset=utf-8",
    )


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
