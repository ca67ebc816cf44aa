"""Every URL of our own API."""

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tallystick.ledger import Ledger
from tallystick.services.clock import ClockWatch
from tallystick.surfaces.native import errors
from tallystick.surfaces.native.handlers import Native
from tallystick.surfaces.native.live_counters import LiveCounters
from tallystick.surfaces.native.openapi import Description
from tallystick.warehouse import Warehouse
from tallystick.web.asgi import CountedApp, Receive, Scope, Send
from tallystick.web.cors import Preflights
from tallystick.web.traffic import Traffic

PATHS: dict[str, Callable[[Native, Request], Awaitable[Response]]] = {
    # GET and HEAD
    "/health/live": Native.live,
    "/health/ready": Native.ready,
    "/metrics": Native.metrics,
    "/openapi.json": Native.openapi,
}
LIVE = "/live/{namespace}/{key}"  # GET and HEAD: a stream, see live_counters.py
SEGMENTS = frozenset(path.split("/")[1] for path in (*PATHS, LIVE))


def native(  # noqa: PLR0913, PLR0917  # what it shows
    ledger: Ledger,
    traffic: Traffic,
    description: Description,
    warehouse: Warehouse | None = None,
    live: LiveCounters | None = None,
    clock: ClockWatch | None = None,
) -> CountedApp:
    """The surface as an ASGI application."""
    handlers = Native(ledger, traffic, description, warehouse, None if live is None else live.hub, clock)
    app = Starlette(
        routes=[Route(path, partial(handler, handlers)) for path, handler in PATHS.items()],
        exception_handlers={HTTPException: errors.refused, Exception: errors.failed},
    )
    app.router.redirect_slashes = False  # a redirect would have to guess the scheme behind a proxy

    def native_app(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if live is not None and scope["path"].startswith("/live/"):
            return live(scope, receive, send)
        return app(scope, receive, send)

    return CountedApp(Preflights(native_app), "native", traffic)
