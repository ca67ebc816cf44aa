"""Every URL of this surface, in the order of its documentation."""

from collections.abc import Awaitable, Mapping

from tallystick.model.account import Permission
from tallystick.server.hot_lane import HotLane
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter import pages
from tallystick.surfaces.goatcounter.api.handlers import bots, count, exports, me, paths, sites, stats
from tallystick.surfaces.goatcounter.api.judging import GoatCounterApi, SiteRoute
from tallystick.surfaces.goatcounter.pixel import hot, script
from tallystick.surfaces.goatcounter.pixel.handler import Pixel
from tallystick.surfaces.goatcounter.public import Endpoint, public_pages
from tallystick.surfaces.goatcounter.visitor_counter.handler import visitor_counter
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.surface import Kit

COUNT, EXPORT, STATS = Permission.COUNT, Permission.EXPORT, Permission.STATS
SITE_READ, SITE_CREATE, SITE_UPDATE = Permission.SITE_READ, Permission.SITE_CREATE, Permission.SITE_UPDATE

API = (
    # behind /api/v0, each with or without a slash at the end
    SiteRoute("GET", "/me", None, me.me),
    SiteRoute("POST", "/count", COUNT, count.count),
    SiteRoute("POST", "/export", EXPORT, exports.create),
    SiteRoute("GET", "/export/{id}", EXPORT, exports.export),
    SiteRoute("GET", "/export/{id}/download", EXPORT, exports.download),
    SiteRoute("GET", "/sites", SITE_READ, sites.sites),
    SiteRoute("PUT", "/sites", SITE_CREATE, sites.create),
    SiteRoute("GET", "/sites/{id}", SITE_READ, sites.site),
    SiteRoute("POST", "/sites/{id}", SITE_UPDATE, sites.replace),
    SiteRoute("PATCH", "/sites/{id}", SITE_UPDATE, sites.change),
    SiteRoute("GET", "/paths", STATS, paths.paths),
    SiteRoute("GET", "/stats/total", STATS, stats.total),
    SiteRoute("GET", "/stats/hits", STATS, stats.hits),
    SiteRoute("GET", "/stats/hits/{path_id}", STATS, stats.path_referrers),
    SiteRoute("GET", "/stats/{page}", STATS, stats.page, stats.require_page),
    SiteRoute("GET", "/stats/{page}/{id*}", STATS, stats.page_details, stats.require_details),
    SiteRoute("GET", "/bots", STATS, bots.bots),
    SiteRoute("POST", "/bots", SITE_UPDATE, bots.change),
)

PAGES: Mapping[str, Endpoint] = {
    # GET and HEAD, public
    "/count.js": script.count_js,
    **{f"/count.v{number}.js": script.count_js for number in range(1, 6)},
    "/counter/{name:path}": visitor_counter,
    "/status": pages.status,
    "/api.json": pages.api_json,
    "/api.html": pages.api_html,
    "/robots.txt": pages.robots,
}

PREFIXES = tuple(dict.fromkeys(["/count", "/api", *(f"/{path.split('/')[1]}" for path in PAGES)]))


class GoatCounter:
    """The surface as an ASGI application.

    Attributes:
        hot: its hot lane, by prefix of the URL.
    """

    def __init__(self, services: Services, kit: Kit) -> None:
        self._pixel = Pixel(services, kit.limits, kit.addresses, kit.traffic)
        self._api = GoatCounterApi(services, API, kit.limits, kit.addresses, kit.traffic)
        self._pages = public_pages(services, PAGES, kit.traffic)
        self.hot: dict[bytes, HotLane] = {hot.PREFIX: hot.HotPixel(self._pixel)}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request on. No coroutine of its own: hot path."""
        path = scope["path"]
        if path in {"/count", "/count/"}:
            return self._pixel(scope, receive, send)
        if path.startswith("/api/"):
            return self._api(scope, receive, send)
        return self._pages(scope, receive, send)
