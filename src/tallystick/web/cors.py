"""CORS preflights: the OPTIONS requests that browsers send before some requests to another origin."""

from collections.abc import Awaitable, Callable

from tallystick.web.asgi import AsgiApp, Receive, Scope, Send
from tallystick.web.refusals import Headers

ANY_HEADER = b"*, Authorization"
"""Every request header. The wildcard does not include ``Authorization`` (Fetch standard, 4.10), so it is named."""

READING = b"GET, HEAD, OPTIONS"
ALL_METHODS = b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


def preflight_headers(common: Headers, request_headers: bytes) -> Headers:
    """Headers of the response to a preflight that allows every method.

    Args:
        common: headers that all responses of the surface share.
        request_headers: names that are allowed beside ``ANY_HEADER``: old browsers read the wildcard as a name.
    """
    return (
        *common,
        (b"access-control-allow-headers", ANY_HEADER + b", " + request_headers),
        (b"access-control-allow-methods", ALL_METHODS),
        (b"access-control-max-age", b"86400"),
        (b"allow", ALL_METHODS),
    )


class Preflights:
    """An ASGI application that answers OPTIONS requests with 204, so that pages of any origin may read it.

    Args:
        concerns: whether a path may be read from other origins; by default every path.
    """

    def __init__(self, app: AsgiApp, concerns: Callable[[str], bool] = lambda _: True) -> None:
        self._app, self._concerns = app, concerns

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a preflight, or pass the request on."""
        if scope["type"] == "http" and scope["method"] == "OPTIONS" and self._concerns(scope["path"]):
            return _send_preflight(send)
        return self._app(scope, receive, send)


_HEADERS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", READING),
    (b"access-control-allow-headers", ANY_HEADER),
    (b"access-control-max-age", b"86400"),
    (b"allow", READING),
    (b"cache-control", b"no-store"),
)


async def _send_preflight(send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": b""})
