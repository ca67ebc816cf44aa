"""How errors become answers on this surface: a small page for people, JSON for programs."""

import asyncio

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tallystick.errors import StoreUnavailable
from tallystick.surfaces.dashboard.support.page_request import Door
from tallystick.surfaces.dashboard.support.rendering import Renderer
from tallystick.web.bodies import BodyRefused

log = structlog.get_logger()

NOT_FOUND = 404

_WORDS = {
    400: ("The form did not arrive whole", "The connection ended early. Go back and try again."),
    403: (
        "This form was not accepted",
        "It is old, not from this server, or this browser keeps no cookies. Go back, reload the page and try again.",
    ),
    404: (
        "There is no such page",
        "The address may be mistyped. The start page is at /, the description of the API at /docs.",
    ),
    405: ("That is not possible here", "This page can only be read."),
    408: ("The form took too long", "The connection is slow or was interrupted. Go back and try again."),
    413: ("That is too much", "The form is larger than this server reads."),
    414: ("That address is too long", "What stands behind the question mark is longer than this server reads."),
    415: ("That is not a form", "This address takes what a browser sends from a form."),
    429: ("Too many attempts", "Wait a moment, then go back and try again."),
    500: ("Something went wrong", "That is our fault. The server's log says more."),
    503: ("Not possible just now", "The server cannot read or store anything at the moment. Try again soon."),
}


class ErrorPages:
    """Answers for what cannot be shown."""

    def __init__(self, renderer: Renderer, door: Door) -> None:
        self._renderer, self._door = renderer, door

    async def refused(self, request: Request, error: Exception) -> Response:
        """What is wrong with the request."""
        assert isinstance(error, HTTPException)
        response = await self._answer(request, error.status_code)
        response.headers.update(error.headers or {})
        return response

    async def unavailable(self, request: Request, error: Exception) -> Response:
        """503 while the stores do not answer; nothing was acknowledged."""
        assert isinstance(error, StoreUnavailable)
        response = await self._answer(request, 503)
        if error.retry_after:
            response.headers["retry-after"] = str(error.retry_after)
        return response

    async def body_refused(self, request: Request, error: Exception) -> Response:
        """A form that did not arrive whole, or not in time."""
        assert isinstance(error, BodyRefused)
        response = await self._answer(request, error.status)
        if error.retry_after:
            response.headers["retry-after"] = str(error.retry_after)
        return response

    async def failed(self, request: Request, error: Exception) -> Response:
        """500 for what nobody expected; only the log tells what."""
        log.error("a request failed", surface="dashboard", exc_info=error)
        return await self._answer(request, 500)

    async def _answer(self, request: Request, status: int) -> Response:
        title, text = _WORDS.get(status, _WORDS[500])
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"error": "not found" if status == NOT_FOUND else f"{title}."}, status)
        asked = await self._door.asked(request)
        values = {"title": title, "text": text}
        return await asyncio.to_thread(self._renderer.page, asked, "support/error.html", values, status)
