"""Every URL of this surface."""

from collections.abc import Awaitable, Callable

from tallystick.surfaces.counters import batches, owning, reading, transfer
from tallystick.surfaces.counters.asking import OWNED_RATE
from tallystick.surfaces.counters.badges import handlers as badges
from tallystick.surfaces.counters.history import handlers as history
from tallystick.surfaces.counters.judging import RATE, PublicRoute
from tallystick.surfaces.counters.scripts import serving
from tallystick.web.answers import ApiResponse
from tallystick.web.rate_limit import Rate


class BadgeRoute(PublicRoute, frozen=True):
    """A URL whose last suffix is the form of a badge."""

    rate: str = badges.RATE
    refusal: Callable[[Exception, str], Awaitable[ApiResponse]] | None = badges.refusal


ROUTES = (
    # each with or without a slash at the end
    PublicRoute("GET", "/api/counters", reading.mine),
    PublicRoute("POST", "/api/counters", owning.create),
    PublicRoute("POST", "/api/counters/read", batches.read, largest_body=batches.LARGEST_BATCH),
    PublicRoute("POST", "/api/counters/add", batches.add, largest_body=batches.LARGEST_BATCH),
    PublicRoute("GET", "/api/counters/export", transfer.exported),
    PublicRoute("POST", "/api/counters/import", transfer.imported, largest_body=transfer.LARGEST),
    PublicRoute("GET", "/api/counters/{namespace}", reading.reservation),
    PublicRoute("PUT", "/api/counters/{namespace}", owning.reserve),
    PublicRoute("DELETE", "/api/counters/{namespace}", owning.release),
    PublicRoute("GET", "/api/counters/{namespace}/{key}", reading.one),
    PublicRoute("PATCH", "/api/counters/{namespace}/{key}", owning.amend),
    PublicRoute("DELETE", "/api/counters/{namespace}/{key}", owning.delete),
    PublicRoute("POST", "/api/counters/{namespace}/{key}/set", owning.set_),
    PublicRoute("POST", "/api/counters/{namespace}/{key}/reset", owning.reset),
    PublicRoute("POST", "/api/counters/{namespace}/{key}/rename", owning.rename),
    PublicRoute("POST", "/api/counters/{namespace}/{key}/claim", owning.claim),
    PublicRoute("POST", "/api/counters/{namespace}/{key}/secret", owning.renew),
    PublicRoute("GET", "/history/{namespace}/{file}", history.of_counter),
    BadgeRoute("GET", "/badge/{namespace}/{file}", badges.of_counter),
    BadgeRoute("GET", "/badge/{file}", badges.of_site, switched=False),
    # scripts for pages: a file is no question, and has no limit
    *(PublicRoute("GET", f"/{name}", serving.script, rate=None) for name in serving.NAMES),
)
PREFIXES = ("/api/counters", "/history", *(f"/{name}" for name in serving.NAMES))
WITHIN = {"/badge": badges.is_badge}
RATES = (
    Rate(RATE, 600, 60, "the API of public counters, per address"),
    Rate(history.RATE, 120, 60, "histories of public counters, per address and namespace"),
    Rate(OWNED_RATE, 200, 86_400, "new public counters with a secret, which never expire, per address"),
    Rate(batches.ADDS_RATE, 30_000, 60, "additions of POST /api/counters/add, per address and namespace"),
    Rate(badges.RATE, 6_000, 60, "badges, per address"),
)
