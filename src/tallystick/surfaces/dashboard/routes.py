"""Every page."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route

from tallystick.ledger import Ledger
from tallystick.surfaces.dashboard.errors import ErrorPages
from tallystick.surfaces.dashboard.pages import ApiDescription, Pages
from tallystick.surfaces.dashboard.rendering import STATIC, Renderer
from tallystick.web.asgi import Counted
from tallystick.web.traffic import Traffic

SEGMENTS = frozenset({"", "docs", "static", "favicon.ico"})


def dashboard(ledger: Ledger, traffic: Traffic, description: ApiDescription) -> Counted:
    """The surface as an ASGI application.

    Args:
        description: of every surface's API, for the page that explains it.
    """
    renderer = Renderer()
    pages, errors = Pages(ledger, renderer, description), ErrorPages(renderer)
    app = Starlette(
        routes=[
            Route("/", pages.welcome),
            Route("/docs", pages.docs),
            Route("/docs/", pages.docs),
            Route("/favicon.ico", pages.icon),
            Mount("/static", STATIC),
        ],
        exception_handlers={HTTPException: errors.refused, Exception: errors.failed},
    )
    app.router.redirect_slashes = False  # a redirect would have to guess the scheme behind a proxy
    return Counted(app, "dashboard", traffic)
