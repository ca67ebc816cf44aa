"""Pages for people. See README.md."""

from tallystick.services.services import Services
from tallystick.surfaces.dashboard.live.streams import LiveStreams
from tallystick.surfaces.dashboard.routes import NAME, PREFIXES, dashboard
from tallystick.web.asgi import Scope
from tallystick.web.rate_limit import Rate
from tallystick.web.surface import Kit, Surface, SurfaceApps


def build(services: Services, kit: Kit) -> SurfaceApps:
    """The surface's ASGI application, and the streams that end before the server stops."""
    streams = LiveStreams()
    return SurfaceApps(dashboard(services, kit, streams), sockets=streams)


def streams(scope: Scope) -> bool:
    """Whether a request sends a file, whose body is passed on as it arrives."""
    path: str = scope["path"]
    to_site = path.startswith("/sites/") and path.endswith("/imports")
    return scope["method"] == "POST" and (to_site or path == "/admin/counters")


SURFACE = Surface(
    name=NAME,
    prefixes=PREFIXES,
    build=build,
    streams=streams,
    rates=(
        Rate("login", 20, 60, "logins and forms that cost as much, per address"),
        Rate("join", 10, 3600, "new accounts without an invite (--join anyone), per address"),
        Rate("site-secret", 20, 60, "wrong secrets of sites, per address"),
        Rate("guest-pages", 120, 60, "pages of statistics for people who are not logged in, per address"),
    ),
)
