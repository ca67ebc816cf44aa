"""Every URL of our own API."""

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tallystick.services.services import Services
from tallystick.surfaces.native import errors
from tallystick.surfaces.native.handlers import Native
from tallystick.surfaces.native.live_counters import LiveCounters
from tallystick.web.asgi import AsgiApp, CountedApp, Receive, Scope, Send
from tallystick.web.cors import Preflights
from tallystick.web.surface import Kit

NAME = "native"

PATHS: dict[str, Callable[[Native, Request], Awaitable[Response]]] = {
    # GET and HEAD
    "/health/live": Native.live,
    "/health/ready": Native.ready,
    "/metrics": Native.metrics,
    "/openapi.json": Native.openapi,
}
LIVE = ("/live", "/live/{namespace}/{key}")  # GET and HEAD: streams, see live_counters.py
PREFIXES = tuple(dict.fromkeys(f"/{path.split('/')[1]}" for path in (*PATHS, *LIVE)))


def native(services: Services, kit: Kit) -> AsgiApp:
    """The surface as an ASGI application."""
    handlers = Native(services, kit)
    live = LiveCounters(services.following, kit.addresses, switched_off=kit.public_counters == "off")
    app = Starlette(
        routes=[Route(path, partial(handler, handlers)) for path, handler in PATHS.items()],
        exception_handlers={HTTPException: errors.refused, Exception: errors.failed},
    )
    app.router.redirect_slashes = False  # a redirect would have to guess the scheme behind a proxy

    def native_app(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["path"].split("/")[1] == "live":
            return live(scope, receive, send)
        return app(scope, receive, send)

    return CountedApp(Preflights(native_app), NAME, kit.traffic)
