"""Every URL of this surface, in the order of its documentation."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from tallystick.model.account import Permission
from tallystick.surfaces.goatcounter.api import Api, Route
from tallystick.surfaces.goatcounter.calling import Services
from tallystick.surfaces.goatcounter.errors import REASONS, SURFACE
from tallystick.surfaces.goatcounter.handlers import count, exports, me, sites
from tallystick.surfaces.goatcounter.handlers.pixel import Pixel
from tallystick.web.address import ClientAddresses
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.rate_limit import RateLimits
from tallystick.web.traffic import Traffic

COUNT, EXPORT, STATS = Permission.COUNT, Permission.EXPORT, Permission.STATS
SITE_READ, SITE_CREATE, SITE_UPDATE = Permission.SITE_READ, Permission.SITE_CREATE, Permission.SITE_UPDATE

API = (
    # behind /api/v0, each with or without a slash at the end
    Route("GET", "/me", None, me.me),
    Route("POST", "/count", COUNT, count.count),
    Route("POST", "/export", EXPORT, exports.create),
    Route("GET", "/export/{id}", EXPORT, exports.export),
    Route("GET", "/export/{id}/download", EXPORT, exports.download),
    Route("GET", "/sites", SITE_READ, sites.sites),
    Route("PUT", "/sites", SITE_CREATE, sites.create),
    Route("GET", "/sites/{id}", SITE_READ, sites.site),
    Route("POST", "/sites/{id}", SITE_UPDATE, sites.replace),
    Route("PATCH", "/sites/{id}", SITE_UPDATE, sites.change),
)

SEGMENTS = frozenset({"count", "api"})

Endpoint = Callable[[Services, Request], Awaitable[Response]]


class GoatCounter:
    """The surface as an ASGI application."""

    def __init__(self, services: Services, limits: RateLimits, addresses: ClientAddresses, traffic: Traffic) -> None:
        traffic.expect(SURFACE, REASONS)
        self._pixel = Pixel(services, limits, addresses, traffic)
        self._api = Api(services, API, limits, addresses, traffic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] in {"/count", "/count/"}:
            await self._pixel(scope, receive, send)
        else:
            await self._api(scope, receive, send)
