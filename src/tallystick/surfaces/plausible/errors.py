"""Errors as responses of this surface: ``{"error": "..."}``."""

import secrets
from collections.abc import Mapping

import msgspec
import structlog

from tallystick.errors import (
    STORE_ERRORS,
    Conflicting,
    InputRefused,
    InvalidFields,
    NotPermitted,
    NotThere,
    QuestionTooLong,
    StoreUnavailable,
)
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

SURFACE = "plausible"

MISSING = "no API key; send the header Authorization: Bearer KEY"
REFUSED = (
    "the API key is not valid for this: it has to exist, to have the permission stats, and to cover the site, which is"
    " named by its domain"
)
"""One text for unknown keys, unknown sites and sites out of reach, so that nobody learns which sites exist."""
NO_SITE_HERE = "the host of this address has no site that the API key may ask about; name one in site_id"
"""The same where no site is named."""

NOT_CHANGING = (
    "the API key may not change what belongs to the site: that takes the permission site-update, and a person who may"
    " change the site's settings"
)

COMMON: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Retry-After"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
PREFLIGHT = preflight_headers(COMMON, b"Content-Type")

REASON_BY_STATUS = {
    400: "bad request",
    401: "unauthorized",
    402: "not available",
    404: "not found",
    409: "conflict",
    408: "body too slow",
    413: "body too large",
    414: "query too long",
    429: "rate limited",
    500: "internal error",
    503: "too many bodies",
    504: "timed out",
}
STATUS_OF: Mapping[type[InputRefused], int] = {NotPermitted: 401, NotThere: 404, Conflicting: 409}
MOST_FAULTS = 20

REASONS = frozenset({*REASON_BY_STATUS.values(), *(error.reason for error in STORE_ERRORS)})
"""Every reason under which this surface's refusals are counted."""

log = structlog.get_logger()

_encode = msgspec.json.Encoder().encode


def response_to(error: Exception) -> ApiResponse:
    """The response to an error; an unexpected one is also logged."""
    if isinstance(error, StoreUnavailable):
        error = store_refusal(error)
    if isinstance(error, ApiRefused):
        headers = retry_after(error.admission.wait) if isinstance(error, RateLimited) else error.headers
        if isinstance(error, Unauthorized):
            headers = ((b"www-authenticate", b"Bearer"),)
        return ApiResponse(error.status, _encode({"error": str(error)}), headers, reason=error.reason)
    if isinstance(error, InvalidFields):
        faults = [f"#/{field}: {text}" for field, texts in error.errors.items() for text in texts]
        return _response(400, "\n".join(faults[:MOST_FAULTS]))
    if isinstance(error, InputRefused):
        statuses = (status for kind, status in STATUS_OF.items() if isinstance(error, kind))
        return _response(next(statuses, 400), str(error))
    if isinstance(error, QuestionTooLong | TimeoutError):
        return _response(504, str(error) or "the question takes too long; ask for a shorter period or fewer dimensions")
    code = secrets.token_hex(4)
    log.error("a request failed", surface=SURFACE, code=code, exc_info=error)
    return _response(500, f"unexpected error {code}; the server's log tells more")


def refuse(_path: str, refusal: Refusal) -> Answer:
    """Encode what the HTTP server refuses."""
    return answer_of(response_to(refused_by_server(refusal)), header_lines(COMMON))


def _response(status: int, text: str) -> ApiResponse:
    return ApiResponse(status, _encode({"error": text}))
