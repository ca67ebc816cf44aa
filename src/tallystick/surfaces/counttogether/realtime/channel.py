"""The interface of an open WebSocket, and its implementation for the main port."""

import asyncio
from contextlib import suppress
from enum import IntEnum
from typing import Protocol

from tallystick.errors import TallystickError
from tallystick.web.asgi import Receive, Send

SENT_WITHIN_S = 20.0
"""The longest time a peer may take to receive a message."""
CLOSED_WITHIN_S = 1.0
"""The longest wait for the close frame to be sent: the peer may have stopped reading."""


class Closing(IntEnum):
    """Close codes of the contract (1.11)."""

    GOING_AWAY = 1001
    RESTART = 1012
    TRY_LATER = 1013
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    NO_PONG = 4408
    TOO_SLOW = 4413
    TOO_MANY = 4429


REASONS = {
    Closing.GOING_AWAY: "the server goes away",
    Closing.RESTART: "the server restarts",
    Closing.TRY_LATER: "try again later",
    Closing.BAD_MESSAGE: "this message makes no sense here",
    Closing.UNAUTHORIZED: "the token is not good, or no longer",
    Closing.NO_PONG: "no pong came",
    Closing.TOO_SLOW: "too slow to read",
    Closing.TOO_MANY: "too many connections",
}
"""The reasons in close frames, by code."""


class PeerTooSlow(TallystickError):
    """The peer does not receive a message in time."""


class Channel(Protocol):
    """An open WebSocket.

    Attributes:
        ping_every: seconds between two protocol pings; None where the server can send none.
    """

    ping_every: float | None

    async def send(self, text: str) -> None:
        """Send a message; returns when there is room for another. A closed connection is not an error here.

        Raises:
            PeerTooSlow
        """

    async def receive(self) -> str | bytes | None:
        """The next message; None when the connection is closed."""

    async def is_alive(self) -> bool:
        """Whether the peer answers a ping."""

    async def close(self, code: Closing) -> None:
        """Close with a code and its reason."""


class AsgiChannel:
    """A WebSocket of the main port. Its server answers pings and sends none: the kernel detects dead peers."""

    ping_every: float | None = None

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send

    async def send(self, text: str) -> None:
        """See ``Channel``."""
        try:
            async with asyncio.timeout(SENT_WITHIN_S):
                await self._send({"type": "websocket.send", "text": text})
        except TimeoutError as error:
            raise PeerTooSlow from error

    async def receive(self) -> str | bytes | None:
        """See ``Channel``."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return None
        text: str | None = message.get("text")
        content: str | bytes = message["bytes"] if text is None else text
        return content

    async def is_alive(self) -> bool:
        """See ``Channel``."""
        return True

    async def close(self, code: Closing) -> None:
        """See ``Channel``. To a peer that has stopped reading no close frame can be sent, hence the timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSED_WITHIN_S):
                await self._send({"type": "websocket.close", "code": int(code), "reason": REASONS[code]})
