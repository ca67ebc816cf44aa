"""One request that goes to the ASGI application, and its response."""

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tallystick.server.extensions import SENT_WITHIN, STILL_READS, ConnectionLost
from tallystick.server.hot_lane import header_lines
from tallystick.server.refusals import Refusal

if TYPE_CHECKING:
    from tallystick.server.connection import Connection

WITHOUT_BODY = frozenset({204, 304})

FAILED = Refusal(500, "the request failed", "failed")

_ANSWERED: Any = {}
"""The scope of a request that is answered."""

log = structlog.get_logger()


class Exchange(RequestResponseCycle):
    """A request, and what became of it.

    It differs from uvicorn's in what is written: the head waits for the first part of the body, so that a short
    response is one write and has a Content-Length; HTTP/1.0 gets no chunks; a peer that has finished sending still
    gets its response.

    Args:
        keep_alive: whether the client wants to go on after the response.
        expects_continue: whether it sends the body only after ``100 Continue``.
    """

    def __init__(self, connection: "Connection", scope: Any, *, keep_alive: bool, expects_continue: bool) -> None:  # noqa: ANN401
        super().__init__(
            scope=scope,
            transport=connection.transport,
            flow=connection.flow,
            logger=connection.logger,
            access_logger=connection.access_logger,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=expects_continue,
            keep_alive=keep_alive,
            on_response=connection.exchange_finished,
        )
        self._connection, self._state = connection, connection.state
        self._unsent: tuple[int, list[tuple[bytes, bytes]]] | None = None
        """Status and headers while they wait for the first part of the body."""
        self.peer_finished = False
        """Whether the client has closed its side. It may still read."""
        self._told_finished = False
        """Whether the application knows that the client has closed its side."""
        self._refusal: Refusal | None = None
        self._received_whole = False
        """Whether the application has got the end of the body."""
        self._without_body = False
        """Whether the response has none, whatever its headers say."""
        self._sent_within: float | None = None
        """See ``SENT_WITHIN``."""

    async def run_asgi(self, app: Any) -> None:  # noqa: ANN401
        """Run the application; what it raises is logged and answered with 500 where nothing was sent yet."""
        if self._refusal is not None:
            self._fail(self._refusal)
            return
        try:
            await app(self.scope, self.receive, self.send)
            if not self.response_complete and not self._gone:
                log.error("the application returned without a whole response")
                self._fail(self._refusal or FAILED)
        except Exception as error:
            # Frameworks turn it into errors of their own.
            if not isinstance(error, ConnectionLost) and not isinstance(error.__context__, ConnectionLost):
                log.exception("a request failed")
                self._fail(self._refusal or FAILED)

    def forget(self) -> None:
        """Let go of what the request has brought: an idle connection holds none of it."""
        self.scope, self.body = _ANSWERED, bytearray()

    def break_off(self, refusal: Refusal) -> None:
        """End a request whose body is malformed: the application sees that the client has hung up."""
        self._refusal, self.keep_alive = refusal, False
        self.message_event.set()

    async def receive(self) -> Any:  # noqa: ANN401
        """The next part of the body; after it, a message when the client has hung up or the response is complete.

        That the client has only closed its side (``STILL_READS``) is told once.
        """
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        while not (self.disconnected or self.response_complete):
            if self.body or not (self.more_body or self._received_whole):
                part, self.body = bytes(self.body), bytearray()
                self._received_whole = not self.more_body
                return {"type": "http.request", "body": part, "more_body": self.more_body}
            if self._refusal is not None:
                break
            if self.peer_finished and not self._told_finished:
                self._told_finished = True
                return {"type": "http.disconnect", STILL_READS: True}
            if not self._connection.pipeline:
                self.flow.resume_reading()
            self.message_event.clear()
            await self.message_event.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:  # noqa: ANN401
        """Send the head or a part of the body; waits while the client reads too slowly.

        Raises:
            TimeoutError: the client does not read, see ``SENT_WITHIN``.
            ConnectionLost: nothing can be sent any more.
        """
        if self.flow.write_paused and not self.disconnected:
            await self._room()
        if self._gone:
            raise ConnectionLost
        kind = message["type"]
        if kind == "http.response.start" and not self.response_started:
            if self.waiting_for_100_continue and self.more_body:
                self.keep_alive = False  # the client may leave the body out
            self.response_started, self.waiting_for_100_continue = True, False
            self._unsent = message["status"], list(message.get("headers", ()))
            if SENT_WITHIN in message and self.scope["method"] != "HEAD":
                self._sent_within = message[SENT_WITHIN]
                self._connection.count_as("events")
            # A stream may wait long for its first part.
            asyncio.get_running_loop().call_soon(self._send_head)
        elif kind == "http.response.body" and self.response_started and not self.response_complete:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            msg = f"an ASGI message {kind} does not fit here"
            raise RuntimeError(msg)

    @property
    def _gone(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.disconnected or self.transport.is_closing()

    async def _room(self) -> None:
        """Wait until the client has read enough."""
        try:
            async with asyncio.timeout(self._sent_within):
                await self.flow.drain()
        except TimeoutError:
            self.disconnected = True
            self.transport.abort()
            raise

    def _send_head(self) -> None:
        if self._unsent is not None and not self._gone:
            self.transport.write(self._head(None))

    def _send_body(self, body: bytes, *, more: bool) -> None:
        head = b"" if self._unsent is None else self._head(None if more else len(body))
        if self._without_body:
            body = b""
        elif self.chunked_encoding:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        elif self.chunked_encoding is False:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (self.expected_content_length and not more):
                msg = "the body has not the length that the response announces"
                raise RuntimeError(msg)
        self.transport.write(head + body if head else body)
        if not more:
            self.response_complete = True
            self.message_event.set()
            self.on_response()

    def _head(self, length: int | None) -> bytes:
        """Encode status and headers.

        Args:
            length: bytes of the body where it is complete.
        """
        assert self._unsent is not None
        status, headers = self._unsent
        lines = header_lines(headers)
        if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers) or b"\0" in lines:
            msg = "a response header holds a line break"
            raise RuntimeError(msg)
        self._unsent = None
        self._without_body = self.scope["method"] == "HEAD" or status in WITHOUT_BODY
        for name, value in headers:
            if name == b"content-length":
                self.chunked_encoding, self.expected_content_length = False, int(value)
            elif name == b"connection" and value.lower() == b"close":
                self.keep_alive = False
        lines += self._framing(status, length)
        if self._connection.nothing_follows:
            self.keep_alive = False
        if not any(name == b"connection" for name, _ in headers):
            lines += self._persistence()
        return b"%b%b\r\n" % (self._state.beginning(status), lines)

    def _framing(self, status: int, length: int | None) -> bytes:
        """The header that says where the body ends, if the application sends none."""
        if self.chunked_encoding is not None or status in WITHOUT_BODY:
            return b""
        if length is not None:
            self.chunked_encoding, self.expected_content_length = False, length
            return b"content-length: %d\r\n" % length
        if self.scope["http_version"] == "1.0":
            self.keep_alive = False  # the end of the connection is the end of the body
        elif not self._without_body:
            self.chunked_encoding = True
            return b"transfer-encoding: chunked\r\n"
        return b""

    def _persistence(self) -> bytes:
        """The header that says whether the connection stays open, where that is not the version's default."""
        if not self.keep_alive:
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self.scope["http_version"] == "1.0" else b""

    def _fail(self, refusal: Refusal) -> None:
        """Send a refusal in place of a response."""
        if refusal is FAILED:
            self._state.counts.refused[FAILED.reason] += 1
        if self.response_complete or self._gone:
            return
        if self._unsent is None and self.response_started:
            self.transport.abort()  # a response that is cut short must not look complete
            return
        status, lines, body = self._state.refusal_answer(self.scope["path"], refusal)
        self._unsent, self.response_started, self.response_complete = None, True, True
        self.keep_alive = False
        if self.scope["method"] == "HEAD":
            body = b""
        self.transport.write(b"%b%bconnection: close\r\n\r\n%b" % (self._state.beginning(status), lines, body))
        self.on_response()
