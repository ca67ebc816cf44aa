"""Whether an answer is compressed, and how."""

import asyncio
import gzip
import re

from tallystick.web.asgi import Scope

WORTH_COMPRESSING = 1_000
COMPRESSION = 1
"""zlib's fastest level: a year of hours shrinks to a tenth of its size with it."""

_names_gzip = re.compile(rb"(?:^|[,\s])gzip\s*(?:$|,|;(?!\s*q=0(?:\.0*)?\s*(?:$|,)))", re.IGNORECASE).search
"""Whether an Accept-Encoding has gzip, and not at a weight of nothing."""


def takes_gzip(scope: Scope) -> bool:
    """Whether the client understands a compressed answer."""
    return any(name == b"accept-encoding" and _names_gzip(value) for name, value in scope["headers"])


async def compressed(body: bytes) -> bytes:
    """A body as gzip, made on a thread."""
    return await asyncio.to_thread(gzip.compress, body, COMPRESSION)
