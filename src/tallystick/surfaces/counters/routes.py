"""Every URL of this surface."""

from tallystick.surfaces.counters import reading
from tallystick.surfaces.counters.history import handlers as history
from tallystick.surfaces.counters.judging import RATE, PublicRoute
from tallystick.web.rate_limit import Rate

ROUTES = (
    # each with or without a slash at the end
    PublicRoute("GET", "/api/counters/{namespace}/{key}", reading.one),
    PublicRoute("GET", "/history/{namespace}/{file}", history.of_counter),
)
PREFIXES = ("/api/counters", "/history")
RATES = (
    Rate(RATE, 600, 60, "the API of public counters, per address"),
    Rate(history.RATE, 120, 60, "histories of public counters, per address and namespace"),
)
