"""The CountAPI surface: public counters without accounts. See README.md."""

from importlib.resources import files

from tallystick.services.services import Services
from tallystick.surfaces.countapi.errors import REASONS
from tallystick.surfaces.countapi.routes import PREFIXES, CountApi
from tallystick.surfaces.countapi.routes import SURFACE as NAME
from tallystick.web.rate_limit import CreationLimit, KeyedLimit, Rate
from tallystick.web.surface import Kit, Surface, SurfaceApps


def build(services: Services, kit: Kit) -> SurfaceApps:
    """The surface's ASGI application."""
    app = CountApi(
        services.counting,
        kit.traffic,
        CreationLimit(kit.creation_limit, kit.addresses) if kit.creation_limit else None,
        KeyedLimit(kit.limits, kit.addresses),
        count_prefetch=kit.count_prefetch,
        public_counters=kit.public_counters,
    )
    return SurfaceApps(app)


SURFACE = Surface(
    name=NAME,
    prefixes=PREFIXES,
    build=build,
    rates=(Rate("keyed", 600, 60, "changes of public counters with an Idempotency-Key, per address"),),
    reasons=REASONS,
    openapi=files(__name__) / "openapi.yaml",
)
