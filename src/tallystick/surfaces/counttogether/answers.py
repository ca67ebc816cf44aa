"""What handlers answer."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from tallystick.web.asgi import Receive, Send

Headers = tuple[tuple[bytes, bytes], ...]

JSON = b"application/json; charset=utf-8"


class Answer(Struct, frozen=True):
    """A whole answer; common headers are added by the caller.

    Attributes:
        body: ``wire.json`` makes it.
        refused: the reason under which a refusal is counted, where its status does not tell.
    """

    status: int
    body: bytes = b""
    headers: Headers = ()
    content_type: bytes = JSON
    refused: str | None = None


class Stream(Struct, frozen=True):
    """An answer that goes on: its head is sent first, then ``run`` sends the body.

    Attributes:
        run: sends ``http.response.body`` messages; the last one has no ``more_body``.
        close: called at the end, also when ``run`` was not.
    """

    content_type: bytes
    run: Callable[[Receive, Send], Awaitable[None]]
    headers: Headers
    close: Callable[[], None]
