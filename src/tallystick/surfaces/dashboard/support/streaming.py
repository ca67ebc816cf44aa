"""Pages that are sent in parts: what is known first is seen first, and no script is needed for it."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping

from starlette.responses import StreamingResponse
from starlette.types import Scope

from tallystick.web.compression import COMPRESSION, takes_gzip

GZIP = 31
"""zlib's window bits for the format of gzip."""


def streamed(
    scope: Scope, parts: AsyncIterator[str], headers: Mapping[str, str], status: int = 200
) -> StreamingResponse:
    """A response of HTML in parts, each of which the browser can show at once.

    Args:
        headers: without ``content-type``.
    """
    gzipped = takes_gzip(scope)
    vary = ", ".join(filter(None, (headers.get("vary"), "accept-encoding")))
    more = {"content-encoding": "gzip"} if gzipped else {}
    return StreamingResponse(
        _compressed(parts) if gzipped else _encoded(parts),
        status,
        {**headers, **more, "vary": vary},
        "text/html; charset=utf-8",
    )


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
