"""Compression of responses."""

import asyncio
import gzip
import re

from tallystick.web.asgi import Scope

WORTH_COMPRESSING = 1_000
COMPRESSION = 1
"""zlib's fastest level, which shrinks a year of hours to a tenth of its size."""

_names_gzip = re.compile(rb"(?:^|[,\s])gzip\s*(?:$|,|;(?!\s*q=0(?:\.0*)?\s*(?:$|,)))", re.IGNORECASE).search
"""Matches an Accept-Encoding that allows gzip (``q=0`` forbids it)."""


def takes_gzip(scope: Scope) -> bool:
    """Whether the client accepts gzip."""
    return any(name == b"accept-encoding" and _names_gzip(value) for name, value in scope["headers"])


async def compressed(body: bytes) -> bytes:
    """Compress a body with gzip, on a thread."""
    return await asyncio.to_thread(gzip.compress, body, COMPRESSION)
