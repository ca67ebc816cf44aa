"""CountTogether: counters that people share and change together, live. See README.md."""

from importlib.resources import files

from tallystick.services.services import Services
from tallystick.surfaces.counttogether.api.hot import refuse
from tallystick.surfaces.counttogether.errors import REASONS
from tallystick.surfaces.counttogether.errors import SURFACE as NAME
from tallystick.surfaces.counttogether.routes import PREFIXES, CountTogether
from tallystick.web.rate_limit import Rate
from tallystick.web.surface import Kit, Surface, SurfaceApps


def build(services: Services, kit: Kit) -> SurfaceApps:
    """The surface's ASGI applications."""
    app = CountTogether(services, kit)
    return SurfaceApps(app.http, app.websocket, app.sockets, app.hot, refuse)


SURFACE = Surface(
    name=NAME,
    prefixes=PREFIXES,
    build=build,
    rates=(
        Rate("counttogether", 120, 60, "shared counters, per person"),
        Rate("unknown-token", 30, 60, "tokens that are not valid, per address"),
    ),
    reasons=REASONS,
    openapi=files(__name__) / "openapi.yaml",
)
