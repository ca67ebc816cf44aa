"""An open WebSocket, and the codes with which it is closed."""

import asyncio
from contextlib import suppress
from enum import IntEnum

from tallystick.errors import TallystickError
from tallystick.server.extensions import NO_PONG, SENT_WITHIN
from tallystick.web.asgi import Receive, Send
from tallystick.web.event_stream import SENT_WITHIN_S

CLOSED_WITHIN_S = 1.0
"""The longest wait for the close frame to be sent: on servers other than ours it may wait for a peer that does not
read."""


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


class Channel:
    """A WebSocket. That it is closed is known from ``receive``; for ``send`` and ``close`` it is no error."""

    __slots__ = ("_receive", "_send")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send

    async def send(self, text: str) -> None:
        """Send a message; returns when there is room for another.

        Raises:
            PeerTooSlow
        """
        try:
            await self._send({"type": "websocket.send", "text": text})
        except TimeoutError as error:
            raise PeerTooSlow from error
        except OSError:
            return

    async def accept(self) -> None:
        """Accept the connection.

        Raises:
            OSError: the client has disconnected.
        """
        no_pong = Closing.NO_PONG, REASONS[Closing.NO_PONG]
        await self._send({"type": "websocket.accept", NO_PONG: no_pong, SENT_WITHIN: SENT_WITHIN_S})

    async def receive(self) -> str | bytes | None:
        """The next message; None when the connection is closed."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return None
        text: str | None = message.get("text")
        content: str | bytes = message["bytes"] if text is None else text
        return content

    async def close(self, code: Closing) -> None:
        """Close with a code and its reason."""
        with suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(CLOSED_WITHIN_S):
                await self._send({"type": "websocket.close", "code": int(code), "reason": REASONS[code]})
