"""GoatCounter: the pixel, the API, the script and the visitor counter. See README.md."""

from importlib.resources import files

from tallystick.services.services import Services
from tallystick.surfaces.goatcounter.errors import REASONS
from tallystick.surfaces.goatcounter.errors import SURFACE as NAME
from tallystick.surfaces.goatcounter.refusing import refuse
from tallystick.surfaces.goatcounter.routes import PREFIXES, GoatCounter
from tallystick.web.rate_limit import Rate
from tallystick.web.surface import Kit, Surface, SurfaceApps

NEW_NAMES = Rate(
    "new-names", 500, 3_600, "new paths, campaigns, referrers, hosts and URL parameters, per site and address"
)


def build(services: Services, kit: Kit) -> SurfaceApps:
    """The surface's ASGI application, and its hot lane."""
    application = GoatCounter(services, kit)
    return SurfaceApps(application, hot=application.hot, refuse=refuse)


SURFACE = Surface(
    name=NAME,
    prefixes=PREFIXES,
    build=build,
    rates=(
        Rate("count", 4, 1, "the pixel, per address and browser"),
        Rate("count-address", 40, 1, "the pixel, per address"),
        NEW_NAMES,
        Rate("api", 60, 120, "per token"),
        Rate("api-count", 60, 120, "/api/v0/count, per token"),
        Rate("export", 60, 120, "/api/v0/export, per token"),
    ),
    reasons=REASONS,
    openapi=files(__name__) / "openapi.yaml",
)
