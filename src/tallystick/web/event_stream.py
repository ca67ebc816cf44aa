"""Sends server-sent events (WHATWG HTML, 9.2)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from tallystick.web.asgi import Receive, Send
from tallystick.web.side_by_side import first_to_end

CONTENT_TYPE = b"text/event-stream; charset=utf-8"
UNBUFFERED = (b"x-accel-buffering", b"no")
"""Keeps proxies from buffering events."""

COMMENT_EVERY_S = 15.0
"""Keeps idle connections alive."""
SENT_WITHIN_S = 20.0
"""How long a client may take to receive what was sent."""

COMMENT = b":\n\n"
RETRY = b"retry: 2000\n\n"
"""Milliseconds after which a browser reconnects."""


async def send_events(events: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """Send the body of a stream until the events end or the client disconnects. The head must have been sent."""
    if await first_to_end(_gone(receive), _send_all(events, send)):
        await _send(send, b"", more=False)


async def or_comment(event: Callable[[], Awaitable[bytes]]) -> bytes:
    """Wait for the next event; return a comment when none comes in time."""
    try:
        async with asyncio.timeout(COMMENT_EVERY_S):
            return await event()
    except TimeoutError:
        return COMMENT


async def _send_all(events: AsyncIterator[bytes], send: Send) -> bool:
    """Send all events. Returns False if the client stopped reading."""
    try:
        async for event in events:
            await _send(send, event)
    except TimeoutError:
        return False
    return True


async def _gone(receive: Receive) -> bool:
    """Wait until the client disconnects. Returns False."""
    while (await receive())["type"] != "http.disconnect":
        pass
    return False


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    """Send a piece.

    Raises:
        TimeoutError: the client does not read.
    """
    async with asyncio.timeout(SENT_WITHIN_S):
        await send({"type": "http.response.body", "body": body, "more_body": more})
