"""Turns errors into responses: a small page for browsers, JSON for programs."""

import asyncio

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tallystick.errors import QuestionTooLong, StoreUnavailable
from tallystick.server.extensions import ConnectionLost
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageGuard
from tallystick.surfaces.dashboard.support.rendering import Renderer
from tallystick.surfaces.dashboard.support.services import NoCounterYet, TooManyPages
from tallystick.web.bodies import BodyRefused

log = structlog.get_logger()

NOT_FOUND = 404

_TEXTS = {
    400: (N_("The form did not arrive whole"), N_("The connection ended early. Go back and try again.")),
    403: (
        N_("This form was not accepted"),
        N_(
            "It is old, not from this server, or this browser keeps no cookies. Go back, reload the page and try again."
        ),
    ),
    404: (
        N_("There is no such page"),
        N_("The address may be mistyped. The links above lead to the start page and the description of the API."),
    ),
    405: (N_("That is not possible here"), N_("This page can only be read.")),
    408: (N_("The form took too long"), N_("The connection is slow or was interrupted. Go back and try again.")),
    410: (
        N_("The file is deleted"),
        N_("Files of exports are kept for a day only. Go back and start another export."),
    ),
    413: (N_("That is too much"), N_("The form is larger than this server accepts.")),
    414: (N_("That address is too long"), N_("The part after the question mark is longer than this server accepts.")),
    415: (N_("That is not a form"), N_("This address accepts forms only, as browsers send them.")),
    429: (N_("Too many attempts"), N_("Wait a moment, then go back and try again.")),
    500: (
        N_("Something went wrong"),
        N_("This is an error of the server. Its operator finds the details in the server's log."),
    ),
    503: (N_("Not possible just now"), N_("The server cannot read or store anything at the moment. Try again soon.")),
    504: (
        N_("This took too long"),
        N_(
            "The statistics were not found in time. Go back and try again, or choose a shorter period or fewer filters."
        ),
    ),
}

TOO_MANY_PAGES = (
    N_("Too many pages in a short time"),
    N_("Without an account, statistics can be opened only so often. Wait a minute, then reload this page."),
)

NO_COUNTER_YET = (
    N_("There is no such counter yet"),
    N_(
        "The first request to /hit/NAMESPACE/KEY creates it, where everybody may create counters. "
        "Then this page shows its badge."
    ),
)


class ErrorPages:
    """The exception handlers of this surface."""

    def __init__(self, renderer: Renderer, guard: PageGuard) -> None:
        self._renderer, self._guard = renderer, guard

    async def refused(self, request: Request, error: Exception) -> Response:
        """The page for an HTTP error that a handler raised."""
        assert isinstance(error, HTTPException)
        texts = None
        if isinstance(error, TooManyPages):
            texts = TOO_MANY_PAGES
        elif isinstance(error, NoCounterYet):
            texts = NO_COUNTER_YET
        response = await self._response(request, error.status_code, texts)
        response.headers.update(error.headers or {})
        return response

    async def unavailable(self, request: Request, error: Exception) -> Response:
        """503 while the stores are unavailable; nothing was acknowledged."""
        assert isinstance(error, StoreUnavailable)
        response = await self._response(request, 503)
        if error.retry_after:
            response.headers["retry-after"] = str(error.retry_after)
        return response

    async def too_long(self, request: Request, error: Exception) -> Response:
        """504 for statistics that were not found in time."""
        assert isinstance(error, QuestionTooLong)
        return await self._response(request, 504)

    async def body_refused(self, request: Request, error: Exception) -> Response:
        """The page for a form that arrived incomplete or too slowly."""
        assert isinstance(error, BodyRefused)
        response = await self._response(request, error.status)
        if error.retry_after:
            response.headers["retry-after"] = str(error.retry_after)
        return response

    async def failed(self, request: Request, error: Exception) -> Response:
        """500 for an unexpected error; the details go to the log only."""
        if isinstance(error, ConnectionLost):
            return Response(status_code=500)  # nobody reads it
        log.error("a request failed", surface="dashboard", exc_info=error)
        return await self._response(request, 500)

    async def _response(self, request: Request, status: int, texts: tuple[str, str] | None = None) -> Response:
        title, text = texts or _TEXTS.get(status, _TEXTS[500])
        if "text/html" not in request.headers.get("accept", ""):
            return as_json({"error": "not found" if status == NOT_FOUND else f"{title}."}, status)
        page_request = await self._guard.error_request(request)
        values = {"title": title, "text": text}
        return await asyncio.to_thread(self._renderer.page, page_request, "support/error.html", values, status)
