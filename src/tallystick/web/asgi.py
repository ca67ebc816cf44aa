"""ASGI types, and the wrapper that counts a surface's answers for the metrics."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tallystick.errors import TallystickError
from tallystick.web.traffic import Traffic

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


LONGEST_LENGTH = 20
"""Digits of a Content-Length."""


class BodyCutShort(TallystickError):
    """The client hung up within a body, or sent chunks that are none."""


class Counted:
    """An ASGI application whose answers are counted under a surface's name."""

    def __init__(self, app: AsgiApp, surface: str, traffic: Traffic) -> None:
        self._app, self._surface, self._traffic = app, surface, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note the status of its answer."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._traffic.answered(self._surface, message["status"])
            await send(message)

        await self._app(scope, receive, counted)


async def body_of(scope: Scope, receive: Receive, most: int) -> bytes | None:
    """The whole body of a request; None when it is longer than ``most`` bytes.

    Raises:
        BodyCutShort
    """
    if _announced_length(scope) > most:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyCutShort
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _announced_length(scope: Scope) -> int:
    """The Content-Length; 0 where there is none that can be read."""
    length: bytes = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(length) if length.isdigit() and len(length) < LONGEST_LENGTH else 0
