"""Serves everything under a path, ``--base-path``: what is behind this module knows nothing of it.

Surfaces route, redirect and name their own addresses without the base path. It is taken from the path of a request and
put before the ``Location`` of a response here. What a browser finds in a body has it from ``own_address.own_url`` and
``own_base``; pages get it when they are rendered (``surfaces/dashboard/support/addresses.py``).
"""

from collections.abc import Mapping

from tallystick.server.hot_lane import Answer, HotLane, LaneUnder
from tallystick.server.refusals import Refusal, RefusalAnswer
from tallystick.web.asgi import AsgiApp, Message, Receive, Scope, Send
from tallystick.web.dispatch import in_plain_text, refuse


class UnderBasePath:
    """An ASGI application whose paths all begin with a base path.

    Args:
        app: takes requests without it.
        base_path: for example ``/stats``, of legal ASCII segments.
    """

    def __init__(self, app: AsgiApp, base_path: str) -> None:
        self._app, self._base, self._below = app, base_path.encode("ascii"), f"{base_path}/".encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if it is below the base path."""
        path: str = scope["path"]
        raw: bytes = scope.get("raw_path") or path.encode("utf-8", "surrogateescape")
        if raw.startswith(self._below):
            length = len(self._base)
            inner = {**scope, "path": path[length:], "raw_path": raw[length:]}
            await self._app(inner, receive, self._located(send) if scope["type"] == "http" else send)
        elif scope["type"] == "websocket":
            await refuse(scope, receive, send)
        elif raw == self._base:
            query = b"?%b" % scope["query_string"] if scope["query_string"] else b""
            await _answer(scope, send, 308, b"", ((b"location", self._below + query),))
        else:
            hint = b" This server's start page is at %b." % self._below if raw == b"/" else b""
            headers = ((b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"))
            await _answer(scope, send, 404, b"There is nothing at this address.%b\n" % hint, headers)

    def _located(self, send: Send) -> Send:
        """Put the base path before a ``Location`` that is a path of this server."""

        async def located(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    (name, self._base + value) if name == b"location" and _is_path(value) else (name, value)
                    for name, value in message["headers"]
                ]
                message = {**message, "headers": headers}
            await send(message)

        return located


def lanes_under(base_path: str, lanes: Mapping[bytes, HotLane]) -> dict[bytes, HotLane]:
    """The lanes of the URLs below the base path."""
    return {base_path.encode("ascii") + prefix: LaneUnder(lane, base_path) for prefix, lane in lanes.items()}


def refusals_under(base_path: str, inner: RefusalAnswer) -> RefusalAnswer:
    """Make the encoder of what the server refuses: of paths below the base path as if they were without it."""

    def answer(path: str, refusal: Refusal) -> Answer:
        if path.startswith(f"{base_path}/"):
            return inner(path.removeprefix(base_path), refusal)
        return in_plain_text(path, refusal)

    return answer


def _is_path(location: bytes) -> bool:
    return location.startswith(b"/") and not location.startswith(b"//")


async def _answer(scope: Scope, send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    lines = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
