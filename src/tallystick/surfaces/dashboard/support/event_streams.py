"""What streams of server-sent events for pages have in common."""

from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tallystick.web.event_stream import CONTENT_TYPE, UNBUFFERED, send_events, stream_head
from tallystick.web.places import NoPlace

STREAMS_OF_ONE = 12
"""Streams of one kind of one person, or of one address without a login. Pages close theirs while they are hidden."""
CHECKED_EVERY_S = 20.0
"""Interval at which a stream checks that its reader may still see what it tells."""
TRY_AGAIN_AFTER_S = 30

ENDED = b"event: ended\ndata: {}\n\n"
"""The reader may not see it any more; reconnecting would be in vain."""
_TOO_MANY_OWN = "Too many pages of yours show live numbers at once. Close some, and reload this page."
_TOO_MANY = "Too many pages show live numbers at once. This page works without; reload it to see new numbers."
_HEAD = (
    (b"content-type", CONTENT_TYPE),
    (b"cache-control", b"private, no-store"),
    (b"x-content-type-options", b"nosniff"),
    UNBUFFERED,
)


class StreamResponse(Response):
    """Sends a stream when it is called; a place is taken only then, so that none is lost before.

    Args:
        run: takes a place and sends the stream, by ``send_stream``. Where it raises NoPlace, nothing was sent.
    """

    def __init__(self, run: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        super().__init__()
        self._run = run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; or, where there are too many, the refusal."""
        try:
            await self._run(scope, receive, send)
        except NoPlace as error:
            message, status = (_TOO_MANY_OWN, 429) if error.own else (_TOO_MANY, 503)
            refusal = JSONResponse({"error": message}, status, {"retry-after": str(TRY_AGAIN_AFTER_S)})
            await refusal(scope, receive, send)


async def send_stream(events: AsyncIterator[bytes], scope: Scope, receive: Receive, send: Send) -> None:
    """Send events until they end or the reader leaves; to HEAD the head alone."""
    await send(stream_head(_HEAD))
    if scope["method"] == "HEAD":
        await send({"type": "http.response.body", "body": b""})
    else:
        await send_events(events, receive, send)
