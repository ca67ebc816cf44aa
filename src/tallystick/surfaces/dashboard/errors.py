"""How errors become answers on this surface: a small page for people, JSON for programs."""

import asyncio

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tallystick.surfaces.dashboard.rendering import Renderer

log = structlog.get_logger()

_WORDS = {
    404: ("There is no such page", "The address may be mistyped. Counters live under /hit, /get and their like."),
    405: ("That is not possible here", "This page can only be read."),
    500: ("Something went wrong", "That is our fault. The server's log says more."),
}


class ErrorPages:
    """Answers for what cannot be shown."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    async def refused(self, request: Request, error: Exception) -> Response:
        """404 and 405."""
        assert isinstance(error, HTTPException)
        response = await self._answer(request, error.status_code)
        response.headers.update(error.headers or {})
        return response

    async def failed(self, request: Request, error: Exception) -> Response:
        """500 for what nobody expected; only the log tells what."""
        log.error("a request failed", surface="dashboard", exc_info=error)
        return await self._answer(request, 500)

    async def _answer(self, request: Request, status: int) -> Response:
        title, text = _WORDS.get(status, _WORDS[500])
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"error": f"{title}."}, status)
        values = {"title": title, "text": text}
        return await asyncio.to_thread(self._renderer.page, request, "error.html", values, status)
