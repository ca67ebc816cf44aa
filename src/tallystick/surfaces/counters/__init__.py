"""Our own API of public counters, for all that CountAPI cannot say. See README.md."""

from importlib.resources import files

from tallystick.services.services import Services
from tallystick.surfaces.counters.errors import ADDITION_RESULTS, REASONS, refuse
from tallystick.surfaces.counters.errors import SURFACE as NAME
from tallystick.surfaces.counters.judging import CountersApi
from tallystick.surfaces.counters.routes import PREFIXES, RATES, ROUTES, WITHIN
from tallystick.web.surface import Kit, Surface, SurfaceApps


def build(services: Services, kit: Kit) -> SurfaceApps:
    """The surface's ASGI application."""
    kit.traffic.additions.update(dict.fromkeys(ADDITION_RESULTS, 0))
    return SurfaceApps(CountersApi(services, kit, ROUTES), refuse=refuse)


SURFACE = Surface(
    name=NAME,
    prefixes=PREFIXES,
    build=build,
    within=WITHIN,
    rates=RATES,
    reasons=REASONS,
    openapi=files(__name__) / "openapi.yaml",
)
