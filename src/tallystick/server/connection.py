"""One connection: uvicorn's protocol on httptools, with the hot lane before it and limits around it. See DESIGN.md.

Requests of a connection are carried out one after the other, in their order: what a client pipelines waits.
"""

import asyncio
import re
from typing import Any, NoReturn, cast

import httptools
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tallystick.server.exchange import Exchange
from tallystick.server.hot_lane import Answer, HotLane, HotRequest, decoded_path, header_lines
from tallystick.server.limits import (
    BEYOND_LIMIT,
    LINGERS_S,
    MOST_PIPELINED,
    SLICE,
    UNREAD_BODY_WITHIN_S,
    WRITTEN_WITHIN_S,
)
from tallystick.server.refusals import Refusal
from tallystick.server.state import SharedState

RETRY_AFTER_S = 5

MALFORMED = Refusal(400, "this is not a valid HTTP/1.1 request", "malformed request")
SEVERAL_HOSTS = Refusal(400, "the request needs one Host header", "malformed request")
TOO_LARGE = Refusal(431, "the request line and its headers are too large", "head too large")
TOO_SLOW = Refusal(408, "the request line and its headers did not arrive in time", "head too slow")
TOO_MANY_CONNECTIONS = Refusal(
    503, f"the server has too many connections; try again in {RETRY_AFTER_S} s", "too many connections", RETRY_AFTER_S
)
WRONG_VERSION = Refusal(400, "this server speaks HTTP/1.1 and HTTP/1.0", "version")
EXPECTATION = Refusal(417, "the only expectation that is understood is 100-continue", "expectation")
UNKNOWN_METHOD = Refusal(405, "this method is not known here", "method")
ENCODING = Refusal(400, "the only Transfer-Encoding that is understood is chunked", "malformed request")
CONNECT = Refusal(405, "this server is no proxy", "method")

HOT_METHODS = frozenset({b"GET", b"POST"})
UPGRADING = frozenset({b"connection", b"http2-settings", b"upgrade"})
"""Headers of an offer to change the protocol."""

_WATCHED = frozenset(
    {b"connection", b"content-length", b"expect", b"host", b"transfer-encoding", b"trailer", b"upgrade"}
)
"""Headers about the connection and the body. All but these are the surfaces' business."""

_request_line = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}) ([^\x00-\x20]+)( HTTP/1\.[01]\r\n)?").match
_without_version = re.compile(rb"[A-Z]+ [^\x00-\x20]+[ \t]*\r?\n").fullmatch
_beyond_ascii = re.compile(rb"[\x80-\xff]").sub

ASGI = {"version": "3.0", "spec_version": "2.4"}

log = structlog.get_logger()


class HeadRefused(Exception):
    """Stops the parser."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Connection(HttpToolsProtocol):
    """A connection of a client.

    Attributes:
        state: what all connections share.
        deadline: time of the event loop after which it is closed unless a request is being answered.
    """

    state: SharedState
    cycle: Exchange | None  # type: ignore[assignment]

    def __init__(
        self,
        config: Config,
        server_state: SharedState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # uvicorn allows it; here everything behind the last request of a connection is thrown away.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self.state = server_state
        self.url, self.headers = b"", []
        self._kind: str | None = None
        """As what the connection is counted."""
        self.deadline = 0.0
        self._paused_at: float | None = None
        """When writing was paused because the client does not read."""
        self._running: Exchange | None = None
        """The request that is with the application; those behind it wait in ``pipeline``."""
        self._hot = False
        """Whether a request of the hot lane is being carried out."""
        self._in_message = self._head_complete = False
        self._upgrades = False
        self._websocket: asyncio.Protocol | None = None
        """What has taken the connection over."""
        self._discards = False
        """Whether everything that still arrives is thrown away."""
        self._peer_finished = False
        """Whether the client has closed its side."""
        self._begun = 0
        """Bytes of an incomplete head, or of an incomplete part behind a body (chunk headers, trailers)."""
        self._fed = 0
        """Bytes that are being parsed at this moment."""
        self._line = b""
        """The last line of an incomplete head as far as it has arrived; it may be the request line."""
        self._over_limit = False
        self._unparsed = b""
        """What arrived behind more pipelined requests than may wait."""

    # Connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection, or refuse it."""
        super().connection_made(transport)
        state = self.state
        self.count_as("http")
        beyond = len(self.connections) - state.limits.connections
        if beyond > BEYOND_LIMIT:
            state.counts.refused[TOO_MANY_CONNECTIONS.reason] += 1
            transport.abort()
            return
        self._over_limit = beyond > 0
        self.deadline = state.now + (LINGERS_S if self._over_limit else state.limits.head_within_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is with the application."""
        self.count_as(None)
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)
        self.cycle = self._running = None  # they hold this object: nothing is left to the garbage collector

    def count_as(self, kind: str | None) -> None:
        """Count the connection as one of a kind, see ``ConnectionCounts.open``; None when it is none any more."""
        counts = self.state.counts.open
        if self._kind is not None:
            counts[self._kind] -= 1
        if kind is not None:
            counts[kind] += 1
        self._kind = kind

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn always closes
        """The client has finished sending; it may still read what it asked for. Returns whether to stay open."""
        self._peer_finished = True
        if self._running is not None:
            self._running.peer_finished = True
            self._running.message_event.set()
        return self._busy

    @property
    def nothing_follows(self) -> bool:
        """Whether the request that is being answered is the connection's last one."""
        if self.pipeline or (self._unparsed and not self._discards):
            return False
        return self._discards or self._peer_finished or self.state.stopping

    @property
    def _busy(self) -> bool:
        """Whether a request is not answered yet."""
        return self._hot or self._running is not None

    def data_received(self, data: bytes) -> None:
        """Parse what arrived."""
        if self._unparsed or len(data) > SLICE:
            self._unparsed += data
            self._parse_slices()
        elif not self._discards:
            self._parse(data)

    def _parse_slices(self) -> None:
        """Parse as much as may wait: a large packet may hold thousands of requests."""
        data, self._unparsed = self._unparsed, b""
        start = 0
        while start < len(data) and not self._discards:
            if len(self.pipeline) >= MOST_PIPELINED:
                self._unparsed = data[start:]
                self.flow.pause_reading()
                return
            end = start + SLICE
            self._parse(data[start:end])
            start = end
            if self._websocket is not None:
                self._websocket.data_received(data[start:])
                return

    def _parse(self, data: bytes) -> None:
        self._fed = len(data)
        continues, stopped = self._in_message, None
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as error:
            stopped = error
        if stopped is None:
            if self._in_message:
                self._count_incomplete(data)
        # Not within the except clause: an error of parsing again would get this one as its context.
        elif isinstance(stopped, httptools.HttpParserUpgrade):
            self._after_upgrade(data[stopped.args[0] :])
        else:
            self._stop_parsing(stopped, self._line + data if continues else data.lstrip(b"\r\n"))
        stopped = None  # its traceback holds this frame

    def _parse_again(self, head: bytes, rest: bytes) -> None:
        """Parse a request whose head was rewritten, with a parser that knows nothing of the first attempt."""
        self.parser = httptools.HttpRequestParser(self)
        self._in_message, self._line = False, b""
        self._begun = min(self._begun, 1)  # the bytes are counted again, but the time goes on
        self._parse(head + rest)

    def _stop_parsing(self, error: httptools.HttpParserError, head: bytes) -> None:
        """Decide what becomes of a request that the parser does not take.

        Args:
            head: the beginning of what arrived, from that of a line on; the request may also stand behind it.
        """
        if self._discards:
            return  # what stands behind the last request
        cause = error.__context__
        if isinstance(cause, HeadRefused):
            self._refuse(cause.refusal, self.parser.get_method())
        elif isinstance(error, httptools.HttpParserCallbackError):
            log.error("a request could not be read", exc_info=cause)
            self._refuse(MALFORMED)
        else:
            self._judge_request_line(error, head)

    def _judge_request_line(self, error: httptools.HttpParserError, head: bytes) -> None:
        """Tell an unknown method and bytes beyond ASCII in the URL from what is no HTTP."""
        line = _request_line(head)
        if line is None:
            self._refuse(MALFORMED)
        elif isinstance(error, httptools.HttpParserInvalidMethodError) and line[3] and _is_unknown(line[1]):
            self.url = line[2]
            self._refuse(UNKNOWN_METHOD)
        elif isinstance(error, httptools.HttpParserInvalidURLError) and not line[2].isascii():
            # Programs send URLs unencoded, which is clear enough.
            url = _beyond_ascii(lambda match: b"%%%02X" % match[0][0], line[2])
            self._parse_again(b"%b %b" % (line[1], url), head[line.end(2) :])
        else:
            self._refuse(MALFORMED)

    def _count_incomplete(self, data: bytes) -> None:
        """Limit the size and the time of a head that is not complete, and of what is no part of a body."""
        if not self._head_complete and not self.headers:
            text = self._line + data if self._begun else data
            self._line = text[text.rfind(b"\n", 0, -1) + 1 :]
            if _without_version(self._line):
                self._refuse(MALFORMED)  # HTTP/0.9, where nothing follows
                return
        if not self._begun and not self._head_complete and not self._busy:
            self.deadline = self.state.now + self.state.limits.head_within_s
        self._begun += self._fed
        if self._begun > self.state.limits.head_bytes:
            self._refuse(TOO_LARGE)

    # Parser callbacks

    def on_message_begin(self) -> None:
        """A request begins."""
        self.url = b""
        self.headers = []
        self._in_message, self._head_complete = True, False

    def on_headers_complete(self) -> None:
        """Answer the request in the hot lane, or pass it to the application."""
        url, state = self.url, self.state
        lane = state.lanes.find(url)
        if lane is not None:
            reason = self._take(lane, url)
            if reason is None:
                return
            state.counts.left[reason] += 1
        self._head_complete, self._begun = True, 0
        self._begin(url)

    def _take(self, lane: HotLane, url: bytes) -> str | None:
        """Offer a request to its lane; returns the reason why it is not taken."""
        method = self.parser.get_method()
        if method not in HOT_METHODS:
            return "method"
        if self._hot or self._running is not None or self._discards:
            return "pipelined"
        if self.flow.write_paused:
            return "slow reader"
        reason = self._unusual_head()
        if reason is not None:
            return reason
        self._hot, self._head_complete, self._begun = True, True, 0
        try:
            reason = lane.take(HotRequest(self, lane, method, url, self.headers))
        except Exception:
            self._hot = False
            raise
        if reason is None:
            self.state.counts.hot += 1
        else:
            self._hot = False
        return reason

    def _unusual_head(self) -> str | None:
        """Why a head is not for the hot lane; None if it may be."""
        parser, headers, limits = self.parser, self.headers, self.state.limits
        if not parser.should_keep_alive() or self._over_limit:
            return "last request"
        hosts = 0
        for name, value in headers:
            if name in _WATCHED:
                if name == b"host":
                    hosts += 1
                elif name == b"connection":
                    # HTTP/1.0 keeps a connection only with this header.
                    if value.lower() != b"keep-alive" or parser.get_http_version() != "1.1":
                        return "connection header"
                elif name != b"content-length" or value != b"0":
                    return "body"
        return None if hosts == 1 and len(headers) <= limits.head_count else "unusual head"

    def _begin(self, url: bytes) -> None:
        """Pass a request to the application, behind those that are not answered yet."""
        if self._discards:
            return
        parser, headers, limits = self.parser, self.headers, self.state.limits
        version, method = parser.get_http_version(), parser.get_method().decode("ascii")
        if self._over_limit:
            _stop(TOO_MANY_CONNECTIONS)
        if version not in {"1.1", "1.0"}:
            _stop(WRONG_VERSION)
        if len(headers) > limits.head_count:
            _stop(TOO_LARGE)
        watched = [(name, value) for name, value in headers if name in _WATCHED]
        _check_host(watched, version)
        expects = [value for name, value in watched if name == b"expect"]
        if expects and (len(expects) > 1 or expects[0].lower() != b"100-continue"):
            _stop(EXPECTATION)
        codings = [value for name, value in watched if name == b"transfer-encoding"]
        if codings and (version == "1.0" or [coding.lower() for coding in codings] != [b"chunked"]):
            _stop(ENCODING)
        if method == "CONNECT":
            _stop(CONNECT)
        raw_path, query = self._target(url)
        if parser.should_upgrade():
            self._upgrades = _is_websocket(watched) and not self._busy
            return  # the parser stops behind the head: see _after_upgrade
        scope = {
            "type": "http",
            "asgi": ASGI,
            "http_version": version,
            "method": method,
            "scheme": "http",
            "path": decoded_path(raw_path),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": self.headers,
            "client": self.client,
            "server": self.server,
        }
        self.headers = cast("list[tuple[bytes, bytes]]", _Trailers(limits.head_count))
        keep_alive = parser.should_keep_alive()
        self._enqueue(Exchange(self, scope, keep_alive=keep_alive, expects_continue=bool(expects) and version == "1.1"))

    def _target(self, url: bytes) -> tuple[bytes, bytes]:
        """Path and query of a request target: origin-form, absolute-form or ``*``."""
        if url.startswith(b"/"):
            path, _, query = url.partition(b"#")[0].partition(b"?")
            return path, query
        if url == b"*":
            return url, b""
        try:
            parsed = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError:
            _stop(MALFORMED)
        if parsed.schema is None or parsed.schema.lower() not in {b"http", b"https"} or not parsed.host:
            _stop(MALFORMED)
        # RFC 9112, 3.2.2: the host of an absolute target stands instead of the header.
        authority = b"[%b]" % parsed.host if b":" in parsed.host else parsed.host
        host = authority if parsed.port is None else b"%b:%d" % (authority, parsed.port)
        self.headers = [(name, host if name == b"host" else value) for name, value in self.headers]
        return parsed.path or b"/", parsed.query or b""

    def _enqueue(self, exchange: Exchange) -> None:
        self.cycle = exchange
        if not self._busy:
            self._start(exchange)
            return
        self.flow.pause_reading()
        self.pipeline.appendleft((exchange, self.app))

    def _start(self, exchange: Exchange) -> None:
        self._running = exchange
        exchange.peer_finished = self._peer_finished
        self._start_asgi_task(exchange, self.app)

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body for the application."""
        self._begun = -self._fed  # bytes of a body are not counted
        exchange = self.cycle
        if exchange is None or exchange.response_complete or self._discards:
            return
        exchange.body += body
        if len(exchange.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        exchange.message_event.set()

    def on_message_complete(self) -> None:
        """The request has arrived whole."""
        self._in_message, self._begun = False, 0
        exchange = self.cycle
        if exchange is None or self.parser.should_upgrade():
            return
        if exchange.more_body:
            exchange.more_body = False
            exchange.message_event.set()
            if exchange.response_complete:
                self.deadline = self.state.now + self.state.idle_s
        if not exchange.keep_alive:
            self._discards = True

    # Responses

    def respond(self, answer: Answer) -> None:
        """Write the response of the hot lane's request."""
        self._hot = False
        state, transport = self.state, self.transport
        if transport.is_closing():
            return
        status, lines, body = answer
        if (self._discards or self._peer_finished or state.stopping) and self.nothing_follows:  # no call: hot path
            self._discards = True
            transport.write(b"%b%bconnection: close\r\n\r\n%b" % (state.beginning(status), lines, body))
            transport.close()
            return
        transport.write(b"%b%b\r\n%b" % (state.beginning(status), lines, body))
        self._go_on()

    def exchange_finished(self) -> None:
        """The response of the application is complete."""
        exchange, self._running = self._running, None
        self.state.total_requests += 1
        if self._kind == "events":
            self.count_as("http")
        transport = self.transport
        if exchange is None or transport.is_closing():
            return
        exchange.forget()
        if exchange.keep_alive:
            self._go_on()
        elif exchange.more_body and not exchange.peer_finished:
            self._linger()
        else:
            transport.close()

    def _go_on(self) -> None:
        """Go on with the next request of the connection."""
        if self.pipeline:
            exchange, _ = self.pipeline.pop()
            self._start(cast("Exchange", exchange))
        elif self._unparsed and not self._discards:
            self._parse_slices()
        if self._busy:
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        state = self.state
        if self._discards or self._peer_finished or state.stopping:
            self.transport.close()
            return
        if not self._in_message:
            self.url, self.headers, self._line = b"", [], b""  # an idle connection holds no large head
            self.deadline = state.now + state.idle_s
        elif self._head_complete:
            self.deadline = state.now + UNREAD_BODY_WITHIN_S
        else:
            self.deadline = state.now + state.limits.head_within_s

    def _linger(self) -> None:
        """Close our side, and throw away what the client still sends: a reset would take the response from it."""
        self._discards = True
        self.flow.resume_reading()
        self.deadline = self.state.now + LINGERS_S
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _refuse(self, refusal: Refusal, method: bytes = b"GET") -> None:
        """Answer what is no request, behind those that are not answered yet, and close."""
        self.state.counts.refused[refusal.reason] += 1
        self._discards = True
        if self._head_complete and self.cycle is not None and self.cycle.more_body:
            self._break_off(self.cycle, refusal)
            return
        path = decoded_path(self.url.partition(b"?")[0]) if self.url.startswith(b"/") else ""
        scope = {"type": "http", "http_version": "1.1", "method": method.decode("ascii"), "path": path}
        self.cycle = exchange = Exchange(self, scope, keep_alive=False, expects_continue=False)
        exchange.break_off(refusal)
        if self._busy:
            self.pipeline.appendleft((exchange, self.app))
        else:
            self._start(exchange)

    def _break_off(self, exchange: Exchange, refusal: Refusal) -> None:
        """Refuse the rest of a body. If its request is answered already, only the connection ends."""
        exchange.break_off(refusal)
        if exchange.response_complete and not self._busy:
            self._linger()

    # WebSockets

    def _after_upgrade(self, rest: bytes) -> None:
        """Hand the connection over, or go on with HTTP where the client has offered another protocol."""
        if not self._upgrades:
            # Another protocol (h2c), which servers may ignore: the request is read without the offer.
            headers = [header for header in self.headers if header[0] not in UPGRADING]
            if not self.parser.should_keep_alive():
                headers.append((b"connection", b"close"))
            self._parse_again(self._raw_head(headers), rest)
            return
        self.count_as(None)
        self.connections.discard(self)
        head = self._raw_head(self.headers)
        assert self.ws_protocol_class is not None
        protocol = self.ws_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.app_state
        )
        self._websocket = protocol
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        self.parser = None  # type: ignore[assignment]  # it holds this object
        protocol.data_received(head + rest)

    def _raw_head(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The request's head as it would arrive with other headers."""
        version = self.parser.get_http_version().encode()
        return b"%b %b HTTP/%b\r\n%b\r\n" % (self.parser.get_method(), self.url, version, header_lines(headers))

    # Time

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self._paused_at = self.state.now

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self._paused_at = None

    def check_time(self, now: float) -> None:
        """Close the connection if its time is over; called about once a second."""
        if self._paused_at is not None and now - self._paused_at > WRITTEN_WITHIN_S:
            self.transport.abort()
        elif now < self.deadline or self._busy:
            return
        elif self._discards:
            self.transport.abort()
        elif self._in_message and not self._head_complete:
            self._refuse(TOO_SLOW)
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """Stop: an idle connection is closed, any other with its last response."""
        if not self._busy:
            self.transport.close()


class _Trailers:
    """Takes the headers behind a chunked body, which nobody reads."""

    def __init__(self, most: int) -> None:
        self._left = most

    def append(self, _: tuple[bytes, bytes]) -> None:
        """Count one.

        Raises:
            HeadRefused: there are too many.
        """
        self._left -= 1
        if self._left < 0:
            _stop(TOO_LARGE)


def _stop(refusal: Refusal) -> NoReturn:
    raise HeadRefused(refusal)


def _is_unknown(method: bytes) -> bool:
    """Whether the parser, which knows only registered methods, refuses one."""
    try:
        httptools.HttpRequestParser(object()).feed_data(method + b" ")
    except httptools.HttpParserInvalidMethodError:
        return True
    return False


def _check_host(watched: list[tuple[bytes, bytes]], version: str) -> None:
    """One Host, which HTTP/1.0 may leave out (RFC 9112, 3.2)."""
    hosts = sum(name == b"host" for name, _ in watched)
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        _stop(SEVERAL_HOSTS)


def _is_websocket(watched: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"upgrade" and value.lower() == b"websocket" for name, value in watched)
