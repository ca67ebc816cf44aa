"""The CountAPI surface: public counters without accounts. See README.md."""

from importlib.resources import files

from tallystick.services.services import Services
from tallystick.surfaces.countapi import hot
from tallystick.surfaces.countapi.app import NAME, CountApi
from tallystick.surfaces.countapi.errors import REASONS
from tallystick.surfaces.countapi.routes import PREFIXES
from tallystick.web.public_limits import CREATIONS, KEYED, VISITORS
from tallystick.web.surface import Kit, Surface, SurfaceApps


def build(services: Services, kit: Kit) -> SurfaceApps:
    """The surface's ASGI application and its hot lanes."""
    api = CountApi(services, kit)
    return SurfaceApps(api, hot=hot.lanes(api, kit.traffic), refuse=hot.refuse)


SURFACE = Surface(
    name=NAME,
    prefixes=PREFIXES,
    build=build,
    rates=(KEYED, CREATIONS, VISITORS),
    reasons=REASONS,
    openapi=files(__name__) / "openapi.yaml",
)
