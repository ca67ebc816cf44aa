"""Every URL of our own API."""

from starlette.applications import Starlette
from starlette.routing import Route

from tallystick.ledger import Ledger
from tallystick.surfaces.native.handlers import Native
from tallystick.web.asgi import Counted
from tallystick.web.traffic import Traffic

SEGMENTS = frozenset({"health", "metrics", "openapi.json"})


def native(ledger: Ledger, traffic: Traffic) -> Counted:
    """The surface as an ASGI application."""
    handlers = Native(ledger, traffic)
    routes = [
        Route("/health/live", handlers.live),
        Route("/health/ready", handlers.ready),
        Route("/metrics", handlers.metrics),
        Route("/openapi.json", handlers.openapi),
    ]
    return Counted(Starlette(routes=routes), "native", traffic)
