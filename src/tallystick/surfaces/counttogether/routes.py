"""Every URL of this surface."""

from collections.abc import Awaitable

from tallystick.surfaces.counttogether.api import Api, Route
from tallystick.surfaces.counttogether.calling import Services
from tallystick.surfaces.counttogether.errors import REASONS, SURFACE
from tallystick.surfaces.counttogether.handlers import live
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.traffic import Traffic

API = (
    # each with or without a slash at the end
    Route("GET", "/v1/ws", live.without_upgrade),
    Route("GET", "/v2/ws", live.without_upgrade),
)

SEGMENTS = frozenset(route.path.split("/")[1] for route in API)


class CountTogether:
    """The surface as an ASGI application."""

    def __init__(self, services: Services, traffic: Traffic) -> None:
        traffic.expect(SURFACE, REASONS)
        self._api = Api(services, API, traffic)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request on. No coroutine of its own: hot path."""
        return self._api(scope, receive, send)
