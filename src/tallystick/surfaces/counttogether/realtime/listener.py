"""A listener for WebSockets alone: it pings, and takes a tenth of the memory that a socket has on the main port."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from socket import socket as OsSocket  # noqa: N812  # a socket here is a WebSocket
from typing import Any, Self
from urllib.parse import unquote

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tallystick.surfaces.counttogether.errors import UPGRADE, CodedRefusal
from tallystick.surfaces.counttogether.realtime.channel import (
    CLOSED_WITHIN_S,
    REASONS,
    SENT_WITHIN_S,
    Closing,
    PeerTooSlow,
)
from tallystick.surfaces.counttogether.realtime.sockets import VERSIONS, Socket, Sockets
from tallystick.surfaces.counttogether.responses import send_dressed
from tallystick.web.answers import ApiResponse
from tallystick.web.asgi import Message
from tallystick.web.own_address import locate
from tallystick.web.routing import NoRoute

PING_EVERY_S = 20.0
PONG_WITHIN_S = 20.0
OPENED_WITHIN_S = 75.0
"""For a request and its response; the person's limit may delay it for a minute."""
LARGEST_FRAME = 65_536
"""Larger frames are not read; smaller ones that exceed the limit of a message are refused by us."""
WRITE_BUFFER = 32_768
BACKLOG = 4_096

log = structlog.get_logger()


class LiveConnection(ServerConnection):
    """A connection with its socket, which is ended even if the client disconnects before its 101."""

    socket: Socket | None = None
    sockets: Sockets

    def connection_lost(self, exc: Exception | None) -> None:
        """End the socket."""
        super().connection_lost(exc)
        if self.socket is not None:
            self.sockets.end(self.socket)


class ListenerChannel:
    """A WebSocket of the second listener."""

    ping_every: float | None = PING_EVERY_S

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    async def send(self, text: str) -> None:
        """See ``Channel``."""
        try:
            async with asyncio.timeout(SENT_WITHIN_S):
                await self._connection.send(text)
        except TimeoutError as error:
            raise PeerTooSlow from error
        except ConnectionClosed:
            return

    async def receive(self) -> str | bytes | None:
        """See ``Channel``."""
        try:
            return await self._connection.recv()
        except ConnectionClosed:
            return None

    async def is_alive(self) -> bool:
        """See ``Channel``."""
        try:
            async with asyncio.timeout(PONG_WITHIN_S):
                await (await self._connection.ping())
        except TimeoutError:
            return False
        except ConnectionClosed:
            return True  # ``receive`` has noticed it
        return True

    async def close(self, code: Closing) -> None:
        """See ``Channel``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSED_WITHIN_S):
                await self._connection.close(code, REASONS[code])
        # Do not wait for a peer that does not answer or does not read.
        self._connection.transport.abort()


class Listener:
    """The second listener, open until ``close``."""

    def __init__(self, sockets: Sockets, server: Server) -> None:
        self._sockets, self._server = sockets, server

    @classmethod
    async def open(cls, sockets: Sockets, bound: OsSocket) -> Self:
        """Listen on a bound socket."""

        async def process_request(connection: ServerConnection, request: Request) -> Response | None:
            assert isinstance(connection, LiveConnection)
            return await _opened(sockets, connection, request)

        async def run(connection: ServerConnection) -> None:
            assert isinstance(connection, LiveConnection)
            assert connection.socket is not None
            await sockets.run(connection.socket, ListenerChannel(connection))

        server = await serve(
            run,
            sock=bound,
            backlog=BACKLOG,
            create_connection=LiveConnection,
            process_request=process_request,
            compression=None,  # it would cost each connection more memory than all the rest
            server_header=None,
            open_timeout=OPENED_WITHIN_S,
            ping_interval=None,  # our own pings close with a reason
            close_timeout=CLOSED_WITHIN_S,
            max_size=LARGEST_FRAME,
            write_limit=WRITE_BUFFER,
            logger=_quiet_logger(),
        )
        return cls(sockets, server)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port, *_ = self._server.sockets[0].getsockname()
        return host, port

    async def close(self) -> None:
        """Stop listening; connections that are still open are dropped."""
        self._server.close(code=Closing.RESTART, reason=REASONS[Closing.RESTART])
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSED_WITHIN_S):
                await self._server.wait_closed()


async def _opened(sockets: Sockets, connection: LiveConnection, request: Request) -> Response | None:
    scope = _scope(connection, request)
    locate(scope, sockets.own)

    async def disconnected() -> Message:
        await connection.wait_closed()
        return {"type": "websocket.disconnect"}

    try:
        _require_upgrade(scope, request)
        socket = await sockets.open(scope, disconnected)
    except Exception as error:  # noqa: BLE001  # errors become responses in one place
        return await _response(sockets.denial(error), scope)
    connection.socket, connection.sockets = socket, sockets
    if connection.transport.is_closing():
        sockets.end(socket)
    return None


def _require_upgrade(scope: Mapping[str, Any], request: Request) -> None:
    if "websocket" in request.headers.get("Upgrade", "").lower():
        return
    if scope["path"].removesuffix("/") not in VERSIONS:
        raise NoRoute
    msg = "there are only WebSockets here; everything else is on the main address"
    raise CodedRefusal(UPGRADE, msg, ((b"upgrade", b"websocket"), (b"connection", b"upgrade")))


def _scope(connection: ServerConnection, request: Request) -> dict[str, Any]:
    """The request as an ASGI scope."""
    path, _, query = request.path.partition("?")
    return {
        "type": "websocket",
        "method": "GET",
        "path": unquote(path),
        "query_string": query.encode("latin-1", "replace"),
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
            for name, value in request.headers.raw_items()
        ],
        "client": connection.remote_address,
    }


async def _response(response: ApiResponse, scope: dict[str, Any]) -> Response:
    sent: list[Message] = []

    async def collect(message: Message) -> None:
        sent.append(message)

    await send_dressed(response, (), b"", scope, collect)
    start, body = sent
    headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
    headers["Connection"] = "close"
    return Response(response.status, HTTPStatus(response.status).phrase, headers, body["body"])


def _quiet_logger() -> logging.Logger:
    """Failed handshakes are common, and the library's log lines would contain addresses."""
    logger = logging.getLogger("tallystick.live.listener")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    return logger
