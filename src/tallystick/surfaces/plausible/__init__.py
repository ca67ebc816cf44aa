"""Plausible's statistics API, and the same questions with more names. See README.md."""

from importlib.resources import files

from tallystick.services.services import Services
from tallystick.surfaces.plausible.errors import REASONS, refuse
from tallystick.surfaces.plausible.errors import SURFACE as NAME
from tallystick.surfaces.plausible.judging import PlausibleApi
from tallystick.surfaces.plausible.routes import PREFIXES, ROUTES
from tallystick.web.rate_limit import Rate
from tallystick.web.surface import Kit, Surface, SurfaceApps


def build(services: Services, kit: Kit) -> SurfaceApps:
    """The surface's ASGI application."""
    return SurfaceApps(PlausibleApi(services, ROUTES, kit.limits, kit.addresses, kit.traffic), refuse=refuse)


SURFACE = Surface(
    name=NAME,
    prefixes=PREFIXES,
    build=build,
    rates=(Rate("plausible", 600, 3_600, "Plausible's API, per token"),),
    reasons=REASONS,
    openapi=files(__name__) / "openapi.yaml",
)
