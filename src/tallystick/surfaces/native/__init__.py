"""Our own API: health, metrics, the description of every surface. See README.md."""

from importlib.resources import files

from tallystick.services.services import Services
from tallystick.surfaces.native.errors import refuse
from tallystick.surfaces.native.routes import NAME, PREFIXES, native
from tallystick.web.surface import Kit, Surface, SurfaceApps


def build(services: Services, kit: Kit) -> SurfaceApps:
    """The surface's ASGI application."""
    return SurfaceApps(native(services, kit), refuse=refuse)


SURFACE = Surface(name=NAME, prefixes=PREFIXES, build=build, openapi=files(__name__) / "openapi.yaml")
