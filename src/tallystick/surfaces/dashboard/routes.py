"""Every page."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tallystick.web.asgi import Counted
from tallystick.web.traffic import Traffic

SEGMENTS = frozenset({"", "docs", "static"})


async def _welcome(_request: Request) -> Response:
    return PlainTextResponse("Tallystick")


def dashboard(traffic: Traffic) -> Counted:
    """The surface as an ASGI application."""
    return Counted(Starlette(routes=[Route("/", _welcome)]), "dashboard", traffic)
