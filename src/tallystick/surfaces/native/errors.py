"""Errors as responses of this surface: ``{"error": "..."}``."""

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tallystick.server.hot_lane import Answer
from tallystick.server.refusals import Refusal
from tallystick.web.answers import ApiResponse, answer_of
from tallystick.web.refusals import refused_by_server

log = structlog.get_logger()


async def refused(_request: Request, error: Exception) -> Response:
    """404 and 405, in the same form as on the other surfaces."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail.lower()}, error.status_code, error.headers)


async def failed(_request: Request, error: Exception) -> Response:
    """Answer an unexpected error with 500; only the log has the details."""
    log.error("a request failed", surface="native", exc_info=error)
    return JSONResponse({"error": "Internal Server Error"}, 500)


def refuse(_path: str, refusal: Refusal) -> Answer:
    """What the HTTP server refuses, in this surface's form."""
    error = refused_by_server(refusal)
    return answer_of(ApiResponse(error.status, msgspec.json.encode({"error": str(error)}), error.headers), b"")
