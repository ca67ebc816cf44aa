"""One WebSocket: uvicorn's protocol on ``websockets``, with an end for peers that do not read or answer.

It differs from uvicorn's in these points. A missing pong closes with the application's own code. A peer that does not
read, or does not answer a close frame, is cut off within a second. What a client sends before it is accepted waits,
unparsed. Few messages are parsed ahead of the application, and of many pings only the last one is answered while the
client does not read. Refused handshakes are answered in the form of the surface that owns the path. See DESIGN.md.
"""

import asyncio
import logging
from functools import lru_cache
from typing import Any, cast

import structlog
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import (
    InvalidHandshake,
    InvalidHeader,
    InvalidMethod,
    SecurityError,
)
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol, State

from tallystick.server.exchange import FAILED
from tallystick.server.extensions import NO_PONG, SENT_WITHIN
from tallystick.server.inbox import Flag, Inbox
from tallystick.server.refusals import Refusal
from tallystick.server.state import SharedState

LARGEST_MESSAGE = 65_536
"""Larger messages are closed with 1009 before they are read."""
PING_EVERY_S = 20.0
PONG_WITHIN_S = 20.0
CLOSED_WITHIN_S = 1.0
"""How long a peer may take to answer a close frame, and to read what was sent before it."""
WRITE_BUFFER = 32_768
"""Bytes that wait for a peer that does not read; then the application waits too."""
SLICE = 4_096
"""Bytes that are parsed at once, so that only few messages are parsed before the application has taken them."""
BEFORE_ACCEPT = 65_536
"""Bytes that a client may send before it is accepted."""
FRAMES_REMEMBERED = 32

OF_PROTOCOL = frozenset({"Connection", "Upgrade", "Sec-WebSocket-Version"})
UPGRADE = b"upgrade: websocket\r\nsec-websocket-version: 13\r\n"
"""Headers of a response to a client that speaks another protocol, or another version of it."""

WRONG_METHOD = Refusal(405, "WebSockets are opened with GET", "handshake")
TOO_LARGE = Refusal(431, "the URL or the headers are too large for a WebSocket", "handshake")
NO_REQUEST = Refusal(400, "this is not a valid request for a WebSocket", "handshake")
RESTARTING = Refusal(503, "the server restarts", "stopping", 1)

QUIET = logging.getLogger("tallystick.websocket")
"""The libraries' lines hold addresses and queries."""
QUIET.setLevel(logging.CRITICAL)
QUIET.propagate = False
QUIET.addHandler(logging.NullHandler())

log = structlog.get_logger()


class WebSocketConnection(WebSocketsSansIOProtocol):
    """The connection of a client after its request for an upgrade."""

    def __init__(
        self,
        config: Config,
        server_state: SharedState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._state = server_state
        self.logger = self.conn.logger = QUIET
        self.conn.debug = False
        self.queue, self.writable = Inbox(), Flag()  # type: ignore[assignment]
        self.writable.set()
        self._no_pong: tuple[int, str] = CloseCode.INTERNAL_ERROR, "no pong came"
        self._sent_within: float | None = None
        self._unparsed = b""
        """What waits until the client is accepted, or until the application has taken earlier messages."""
        self._message = bytearray()
        """The fragments of an incomplete message, joined: a list of tiny ones would be much larger than they are."""
        self._unsent_pong = b""
        self._discards = False
        """Whether everything that still arrives is thrown away."""

    # Connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection over from HTTP."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(WRITE_BUFFER)
        self._state.counts.open["websocket"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application."""
        self._state.counts.open["websocket"] -= 1
        super().connection_lost(exc)
        self._unparsed = b""
        self.conn.parser.close()  # the parser and its connection hold each other

    def eof_received(self) -> None:
        """The client closes without a close frame, or after the closing handshake."""
        self._finish()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self._unsent_pong:
            self.transport.write(self._unsent_pong)
            self._unsent_pong = b""

    def shutdown(self) -> None:
        """Close with 1012: the server stops."""
        if self.handshake_complete:
            self._close(CloseCode.SERVICE_RESTART, RESTARTING.message)
        elif self.handshake_initiated:
            self._refuse(self.request.path, RESTARTING)
        else:
            self._finish()

    def _finish(self) -> None:
        """Close the connection as soon as everything is sent. A peer that does not read is cut off."""
        self.transport.close()
        self._cut_off_soon()

    def _cut_off_soon(self) -> None:
        if self.close_timer is None and not self.disconnected:
            self.close_timer = self.loop.call_later(CLOSED_WITHIN_S, self.transport.abort)

    def _flush(self) -> None:
        if (output := b"".join(self.conn.data_to_send())) and not self.transport.is_closing():
            self.transport.write(output)

    # What the client sends

    def data_received(self, data: bytes) -> None:
        """Parse what arrived."""
        if self._discards:
            return
        if not self.handshake_initiated:
            head, end, data = data.partition(b"\r\n\r\n")
            self._read_handshake(head + end)
        self._unparsed += data
        if self.handshake_complete:
            self._parse()
        elif len(self._unparsed) > BEFORE_ACCEPT:
            self.transport.abort()

    def _parse(self) -> None:
        """Parse frames until the application has to take a message."""
        data, self._unparsed = self._unparsed, b""
        start = 0
        while start < len(data) and not self._discards:
            if self.read_paused:
                self._unparsed = data[start:]
                return
            self.conn.receive_data(data[start : start + SLICE])
            start += SLICE
            self.handle_events()
            if self.conn.parser_exc is not None and not self._discards:
                self.handle_parser_exception()

    async def receive(self) -> Any:  # noqa: ANN401
        """The next message for the application; after the end it is always the same."""
        if self.disconnected and self.queue.empty():
            return {"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE}
        message = await self.queue.get()
        if self.read_paused and self.queue.empty() and not self.transport.is_closing():
            self.read_paused = False
            self.transport.resume_reading()
            self._parse()
        return message

    def _read_handshake(self, head: bytes) -> None:
        self.conn.receive_data(head)
        self.handle_events()
        if self.handshake_initiated:
            return
        self.conn.data_to_send()  # its own refusal
        path = head.split(b" ", 2)[1].decode("latin-1") if head.count(b" ") > 1 else ""
        error = self.conn.handshake_exc
        self._refuse(path, TOO_LARGE if isinstance(error, SecurityError) else NO_REQUEST)

    def handle_connect(self, event: Request) -> None:
        """Pass a valid handshake to the application."""
        self.request = event
        try:
            self.conn.process_request(event)
        except InvalidMethod:
            self._refuse(event.path, WRONG_METHOD, b"allow: GET\r\n")
        except InvalidHandshake as error:
            other_protocol = isinstance(error, InvalidHeader) and error.name in OF_PROTOCOL
            status, headers = (426, UPGRADE) if other_protocol else (400, b"")
            self._refuse(event.path, Refusal(status, f"this WebSocket cannot be opened: {error}", "handshake"), headers)
        else:
            super().handle_connect(event)

    def _refuse(self, target: str, refusal: Refusal, headers: bytes = b"") -> None:
        """Answer in the place of 101, and close.

        Args:
            headers: more header lines.
        """
        if self.transport.is_closing():
            return
        self.handshake_initiated = self.handshake_complete = self.close_sent = self._discards = True
        self._state.counts.refused[refusal.reason] += 1
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
        status, lines, body = self._state.refusal_answer(target.partition("?")[0], refusal)
        beginning = self._state.beginning(status)
        self.transport.write(b"%b%b%bconnection: close\r\n\r\n%b" % (beginning, lines, headers, body))
        self._finish()

    # Frames

    def handle_text(self, event: Frame) -> None:
        """Begin a message of text."""
        self.curr_msg_data_type = "text"
        self.handle_cont(event)

    def handle_bytes(self, event: Frame) -> None:
        """Begin a binary message."""
        self.curr_msg_data_type = "bytes"
        self.handle_cont(event)

    def handle_cont(self, event: Frame) -> None:
        """Append to a message; pass it on when it is complete."""
        self._message += event.data
        if not event.fin:
            return
        content, self._message = bytes(self._message), bytearray()
        if self.close_sent:
            return  # the application has closed already
        if self.curr_msg_data_type == "bytes":
            self.queue.put_nowait({"type": "websocket.receive", "bytes": content})
        else:
            try:
                text = content.decode()
            except UnicodeDecodeError:
                self._close(CloseCode.INVALID_DATA, "the text is not UTF-8")
                return
            self.queue.put_nowait({"type": "websocket.receive", "text": text})
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def handle_ping(self) -> None:
        """Send the pong. While the client does not read, only that of its last ping is kept (RFC 6455, 5.5.3)."""
        pongs = self.conn.data_to_send()
        if not pongs:
            return
        if self.writable.is_set():
            self.transport.write(b"".join(pongs))
        else:
            self._unsent_pong = pongs[-1]

    def handle_close(self, event: Frame) -> None:  # noqa: ARG002  # conn.close_rcvd has it
        """Finish the closing handshake."""
        if not self.close_sent:
            close = self.conn.close_rcvd
            assert close is not None
            self.close_sent = True
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
            self._flush()
        self._discards = True
        self._finish()

    def handle_parser_exception(self) -> None:
        """Close a connection whose frames are not valid, or too large.

        What the client still sends is read and thrown away: a reset would take the close frame from it.
        """
        self.stop_keepalive()
        close = self.conn.close_sent
        assert close is not None
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.close_sent = self._discards = True
        self._flush()
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        self._cut_off_soon()

    def keepalive_timeout(self) -> None:
        """No pong came."""
        self.pong_timer = None
        self._close(*self._no_pong)

    def _close(self, code: int, reason: str) -> None:
        """Send a close frame, without waiting for room, and give the peer a moment to answer it."""
        if self.close_sent or self.transport.is_closing():
            return
        self.close_sent = True
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.conn.state is State.OPEN:  # else the parser has answered the peer's close frame already
            self.conn.send_close(code, reason)
        self._flush()
        self._cut_off_soon()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
            self._parse()

    # What the application does

    async def run_asgi(self) -> None:
        """Run the application. What it raises is logged; the client gets 500 before it is accepted, and 1011 after."""
        path = self.request.path
        try:
            await self.app(cast("Any", self.scope), self.receive, cast("Any", self.send))
            failed = not (self.handshake_complete or self.close_sent)
            if failed:
                log.error("the application returned without an answer to a WebSocket")
        except ClientDisconnected:
            failed = False
        except Exception:
            log.exception("a WebSocket failed")
            failed = True
        if self.handshake_complete:
            code = CloseCode.INTERNAL_ERROR if failed else CloseCode.NORMAL_CLOSURE
            self._close(code, "")
        elif failed:
            self._refuse(path, FAILED)

    async def send(self, message: Any) -> None:  # noqa: ANN401
        """Send the application's message; waits while the client reads too slowly.

        Raises:
            ClientDisconnected: the connection is closed, or being closed.
            TimeoutError: the client does not read, see ``SENT_WITHIN``.
        """
        kind = message["type"]
        if kind == "websocket.send" and self.handshake_complete:
            if not self.writable.is_set():
                async with asyncio.timeout(self._sent_within):
                    await self.writable.wait()
            if self.close_sent or self.transport.is_closing():
                raise ClientDisconnected
            self.transport.write(_frame(message.get("text"), message.get("bytes")))
        elif not self.handshake_complete:
            await super().send(message)
            if kind == "websocket.accept":
                self._accepted(message)
            elif self.close_sent:
                self._finish()
        elif kind == "websocket.close" and not self.disconnected:
            self._close(message.get("code", CloseCode.NORMAL_CLOSURE), message.get("reason") or "")
        else:
            raise ClientDisconnected

    def _accepted(self, message: Any) -> None:  # noqa: ANN401
        if not self.handshake_complete:
            raise ClientDisconnected
        self._no_pong = message.get(NO_PONG, self._no_pong)
        self._sent_within = message.get(SENT_WITHIN)
        # The request takes more memory than the rest of the connection, and the parser of handshakes holds it too.
        del self.scope, self.request, self.response
        self.conn.parser.close()
        self.conn.parser = Protocol.parse(self.conn)
        next(self.conn.parser)
        if self._unparsed:
            self._parse()


@lru_cache(FRAMES_REMEMBERED)
def _frame(text: str | None, content: bytes | None) -> bytes:
    """Encode a message. Remembered, because the same message is sent to many clients, one right after the other."""
    if text is not None:
        return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
    return Frame(Opcode.BINARY, content or b"").serialize(mask=False)
