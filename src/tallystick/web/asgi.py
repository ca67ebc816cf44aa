"""ASGI types, and the wrapper that counts a surface's responses for the metrics."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tallystick.web.traffic import Traffic

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class CountedApp:
    """An ASGI application whose responses are counted under a surface's name."""

    def __init__(self, app: AsgiApp, surface: str, traffic: Traffic) -> None:
        self._app, self._surface, self._traffic = app, surface, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count the status of its response."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._traffic.answered(self._surface, message["status"])
            await send(message)

        await self._app(scope, receive, counted)


def wants_page(scope: Scope) -> bool:
    """Whether a request is a browser's navigation: programs, scripts and images do not accept HTML."""
    return scope["method"] in {"GET", "HEAD"} and any(
        name == b"accept" and b"text/html" in value.lower() for name, value in scope["headers"]
    )
