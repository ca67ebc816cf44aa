"""Errors as responses of this surface: ``{"error": {"code": ..., "message": ..., "field": ...}}``."""

import secrets

import msgspec
import structlog

from tallystick.errors import STORE_ERRORS, InputRefused, StoreUnavailable
from tallystick.server.hot_lane import Answer, header_lines
from tallystick.server.refusals import Refusal
from tallystick.web.answers import ApiResponse, answer_of
from tallystick.web.cors import preflight_headers
from tallystick.web.refusals import (
    ApiRefused,
    Headers,
    RateLimited,
    Unauthorized,
    refused_by_server,
    retry_after,
    store_refusal,
)

SURFACE = "counters"

COMMON: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Location, Retry-After, Idempotent-Replayed"),
    (b"x-content-type-options", b"nosniff"),
)
"""Headers of all responses. What may be cached, and what a page may do, is each response's own."""

UNCACHED: Headers = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
PREFLIGHT = preflight_headers(COMMON, b"Content-Type")

CODE_BY_STATUS = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "body-too-slow",
    409: "conflict",
    413: "body-too-large",
    414: "query-too-long",
    417: "expectation-failed",
    426: "upgrade-required",
    429: "rate-limited",
    431: "head-too-large",
    500: "internal-error",
    503: "unavailable",
}
"""The code of refusals that all surfaces share."""

SWITCHED_OFF = "public-counters-off"
MALFORMED_NAME = "malformed-name"
NO_SUCH_COUNTER = "no-such-counter"

REASONS = frozenset(
    {
        *CODE_BY_STATUS.values(),
        SWITCHED_OFF,
        MALFORMED_NAME,
        NO_SUCH_COUNTER,
        *(error.reason for error in STORE_ERRORS),
    }
)
"""Every reason under which this surface's refusals are counted: the code, of the storage's errors their own."""

log = structlog.get_logger()

_encode = msgspec.json.Encoder().encode


class CounterRefused(ApiRefused):
    """A request is refused for a reason of this surface's own.

    Attributes:
        code: by which programs know the reason.
        field: the parameter or member of the body that is at fault; None where it is none alone.
    """

    def __init__(
        self, status: int, code: str, message: str, *, field: str | None = None, headers: Headers = ()
    ) -> None:
        super().__init__(message, status, headers, reason=code)
        self.code, self.field = code, field


def response_to(error: Exception) -> ApiResponse:
    """The response to an error; an unexpected one is also logged."""
    if isinstance(error, StoreUnavailable):
        error = store_refusal(error)
    if isinstance(error, CounterRefused):
        return _response(error, error.code, error.field)
    if isinstance(error, RateLimited):
        headers = retry_after(max(error.admission.wait, 1))
        return _response(ApiRefused(str(error), error.status, headers), CODE_BY_STATUS[error.status])
    if isinstance(error, Unauthorized):
        return _response(
            ApiRefused(str(error), error.status, ((b"www-authenticate", b"Bearer"),)), CODE_BY_STATUS[error.status]
        )
    if isinstance(error, ApiRefused):
        return _response(error, CODE_BY_STATUS.get(error.status, CODE_BY_STATUS[400]))
    if isinstance(error, InputRefused):
        return _response(ApiRefused(str(error)), CODE_BY_STATUS[400])
    number = secrets.token_hex(4)
    log.error("a request failed", surface=SURFACE, code=number, exc_info=error)
    return _response(ApiRefused(f"unexpected error {number}; the server's log tells more", 500), CODE_BY_STATUS[500])


def refuse(_path: str, refusal: Refusal) -> Answer:
    """Encode what the HTTP server refuses."""
    return answer_of(response_to(refused_by_server(refusal)), header_lines(COMMON))


def _response(error: ApiRefused, code: str, field: str | None = None) -> ApiResponse:
    told = {"code": code, "message": str(error)}
    if field is not None:
        told["field"] = field
    body = _encode({"error": told})
    return ApiResponse(error.status, body, (*UNCACHED, *error.headers), reason=error.reason or code)
