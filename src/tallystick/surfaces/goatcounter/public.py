"""Pages without a token, apart from the pixel: the script, the visitor counter and a few others."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tallystick.services.services import Services
from tallystick.surfaces.goatcounter.errors import REASON_BY_STATUS, SURFACE, response_to
from tallystick.web.api import refusal_reason
from tallystick.web.asgi import CountedApp
from tallystick.web.cors import Preflights
from tallystick.web.routing import NoRoute
from tallystick.web.traffic import Traffic

Endpoint = Callable[[Services, Request], Awaitable[Response]]

_HEADERS = {"access-control-allow-origin": "*", "cache-control": "no-store", "x-content-type-options": "nosniff"}


def public_pages(services: Services, endpoints: Mapping[str, Endpoint], traffic: Traffic) -> CountedApp:
    """Endpoints by path, as an ASGI application that answers GET and HEAD."""

    async def refused(_request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = NoRoute(("GET", "HEAD")) if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else NoRoute()
        response = response_to(error)
        traffic.refused(SURFACE, refusal_reason(response, REASON_BY_STATUS))
        page = Response(response.body, response.status, _HEADERS, response.content_type.decode())
        page.raw_headers.extend(response.headers)
        return page

    async def answered(endpoint: Endpoint, request: Request) -> Response:
        try:
            return await endpoint(services, request)
        except Exception as error:  # noqa: BLE001  # errors become responses in one place
            return await refused(request, error)

    app = Starlette(
        routes=[Route(path, partial(answered, endpoint)) for path, endpoint in endpoints.items()],
        exception_handlers={HTTPException: refused},
    )
    app.router.redirect_slashes = False  # a redirect would have to guess the scheme behind a proxy
    return CountedApp(Preflights(app), SURFACE, traffic)
