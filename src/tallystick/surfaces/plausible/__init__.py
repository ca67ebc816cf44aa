"""Plausible's APIs of statistics and events, and the same questions with more names. See README.md."""

from importlib.resources import files

from tallystick.services.services import Services
from tallystick.surfaces.plausible.errors import REASONS, refuse
from tallystick.surfaces.plausible.errors import SURFACE as NAME
from tallystick.surfaces.plausible.events import ADDRESS_LIMIT, EVENT, EVENT_LIMIT, EventsApi
from tallystick.surfaces.plausible.judging import PlausibleApi
from tallystick.surfaces.plausible.routes import PREFIXES, ROUTES
from tallystick.web.dispatch import dispatcher
from tallystick.web.rate_limit import Rate
from tallystick.web.surface import Kit, Surface, SurfaceApps


def build(services: Services, kit: Kit) -> SurfaceApps:
    """The surface's ASGI application."""
    statistics = PlausibleApi(services, ROUTES, kit.limits, kit.addresses, kit.traffic)
    events = EventsApi(services, kit.limits, kit.addresses, kit.traffic)
    return SurfaceApps(dispatcher({EVENT: events}, statistics), refuse=refuse)


SURFACE = Surface(
    name=NAME,
    prefixes=PREFIXES,
    build=build,
    rates=(
        Rate("plausible", 600, 3_600, "Plausible's API, per token"),
        Rate(EVENT_LIMIT, 60, 1, "/api/event, per address and browser"),
        Rate(ADDRESS_LIMIT, 600, 1, "/api/event, per address"),
    ),
    reasons=REASONS,
    openapi=files(__name__) / "openapi.yaml",
)
