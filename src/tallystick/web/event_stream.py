"""Sends server-sent events (WHATWG HTML, 9.2)."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from tallystick.server.extensions import SENT_WITHIN
from tallystick.web.asgi import Message, Receive, Send
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


class _Body:
    """The body of a stream while it is sent."""

    __slots__ = ("_clock", "_last", "_send")

    def __init__(self, send: Send) -> None:
        self._send, self._clock = send, asyncio.get_running_loop().time
        self._last = self._clock()
        """When something was sent."""

    async def send(self, piece: bytes, *, more: bool = True) -> bool:
        """Send a piece. Returns False if the client does not read, or is gone."""
        try:
            await self._send({"type": "http.response.body", "body": piece, "more_body": more})
        except OSError:  # TimeoutError is one
            return False
        self._last = self._clock()
        return True

    async def send_all(self, events: AsyncIterator[bytes]) -> None:
        """Send all events, or as many as the client reads."""
        async for event in events:
            if not await self.send(event):
                return

    async def watch(self, receive: Receive) -> None:
        """Keep the connection alive until the client disconnects."""
        while not await self._disconnected(receive):
            if self._clock() - self._last >= COMMENT_EVERY_S and not await self.send(COMMENT):
                return

    async def _disconnected(self, receive: Receive) -> bool:
        """Wait until the client disconnects, or until a comment may be due."""
        try:
            # One timer for the stream instead of one for each event.
            async with asyncio.timeout_at(self._last + COMMENT_EVERY_S):
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return False
        return True


def stream_head(headers: Sequence[tuple[bytes, bytes]]) -> Message:
    """The head of a stream, as an ASGI message."""
    return {"type": "http.response.start", "status": 200, "headers": headers, SENT_WITHIN: SENT_WITHIN_S}


async def send_events(events: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """Send the body of a stream until the events end or the client disconnects. ``stream_head`` must have been sent."""
    body = _Body(send)
    await first_to_end(body.watch(receive), body.send_all(events))
    await body.send(b"", more=False)
