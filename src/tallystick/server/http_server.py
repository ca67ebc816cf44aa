"""Starts and stops the HTTP server on listening sockets."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from socket import AF_UNIX, socket
from typing import Any

from uvicorn.config import Config

from tallystick.server.connection import Connection
from tallystick.server.hot_lane import HotLane, HotLanes
from tallystick.server.limits import CROWDED, CROWDED_IDLE_S, ConnectionCounts, ConnectionLimits
from tallystick.server.listening import BACKLOG
from tallystick.server.refusals import RefusalAnswer
from tallystick.server.state import SharedState
from tallystick.server.websocket import LARGEST_MESSAGE, PING_EVERY_S, PONG_WITHIN_S, WebSocketConnection

TICK_S = 1.0


class HttpServer:
    """An HTTP server around an ASGI application.

    Args:
        app: an ASGI application for HTTP and WebSockets.
        lanes: of frequent requests, by prefix of the URL.
        refusal_answer: encodes what the server refuses.
        counts: where connections and refusals are counted.
    """

    def __init__(
        self,
        app: Any,  # noqa: ANN401  # any ASGI application
        *,
        lanes: Mapping[bytes, HotLane],
        refusal_answer: RefusalAnswer,
        limits: ConnectionLimits,
        counts: ConnectionCounts,
    ) -> None:
        self._state = SharedState(HotLanes(lanes), refusal_answer, limits, counts)
        self._config = Config(
            app,
            interface="asgi3",
            http=Connection,
            ws=WebSocketConnection,
            ws_max_size=LARGEST_MESSAGE,
            ws_ping_interval=PING_EVERY_S,
            ws_ping_timeout=PONG_WITHIN_S,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._config.load()
        # Its lines hold addresses and queries.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._servers: list[asyncio.Server] = []
        self._ticking: asyncio.Task[None] | None = None

    async def start(self, sockets: Iterable[socket]) -> None:
        """Accept connections from listening sockets."""
        loop = asyncio.get_running_loop()
        for each in sockets:
            create = loop.create_unix_server if each.family == AF_UNIX else loop.create_server
            self._servers.append(await create(self._connection, sock=each, backlog=BACKLOG))
        self._ticking = loop.create_task(self._tick())

    def _connection(self) -> Connection:
        return Connection(config=self._config, server_state=self._state, app_state={})

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._state.tick()
            self._check_times()

    def _check_times(self) -> None:
        state = self._state
        crowded = len(state.connections) > CROWDED * state.limits.connections
        state.idle_s = min(state.limits.idle_s, CROWDED_IDLE_S) if crowded else state.limits.idle_s
        for connection in tuple(state.connections):
            if isinstance(connection, Connection):
                connection.check_time(state.now - TICK_S)  # deadlines are set by a clock that is as much behind

    def end_connections(self) -> None:
        """Make each response from now on the last one of its connection; new connections are still accepted."""
        self._state.stopping = True

    def close_listeners(self) -> None:
        """Accept no more connections; each response from now on is the last one of its connection."""
        self.end_connections()
        for server in self._servers:
            server.close()
        for connection in tuple(self._state.connections):
            if isinstance(connection, Connection):
                connection.shutdown()

    async def stop(self, within: float) -> None:
        """Finish what was accepted, and close all connections.

        Args:
            within: seconds after which connections that are not finished are cut off.
        """
        state = self._state
        self.close_listeners()
        for connection in tuple(state.connections):
            if isinstance(connection, WebSocketConnection):
                connection.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while state.connections or state.tasks:  # noqa: ASYNC110  # uvicorn's sets cannot be waited for
                    await asyncio.sleep(0.02)
        for connection in tuple(state.connections):
            connection.transport.abort()
        for task in tuple(state.tasks):
            task.cancel()
        if self._ticking is not None:
            self._ticking.cancel()
