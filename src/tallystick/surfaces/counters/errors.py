"""Errors as responses of this surface: ``{"error": {"code": ..., "message": ..., "field": ...}}``."""

import secrets
from collections.abc import Mapping

import msgspec
import structlog

from tallystick.errors import (
    STORE_ERRORS,
    CounterReason,
    InputRefused,
    InvalidFields,
    KeyInFlight,
    KeyReused,
    OwningRefused,
    StoreUnavailable,
)
from tallystick.model.counter import RefusalReason
from tallystick.server.hot_lane import Answer, header_lines
from tallystick.server.refusals import Refusal
from tallystick.web.answers import ApiResponse, answer_of
from tallystick.web.cors import preflight_headers
from tallystick.web.refusals import (
    ApiRefused,
    Headers,
    PermissionMissing,
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
PREFLIGHT = preflight_headers(COMMON, b"Content-Type, Idempotency-Key")

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
    422: "idempotency-key-reused",
    417: "expectation-failed",
    426: "upgrade-required",
    429: "rate-limited",
    431: "head-too-large",
    500: "internal-error",
    503: "unavailable",
}
"""The code of refusals that all surfaces share."""

LIMITED = 429
SWITCHED_OFF = "public-counters-off"
MALFORMED_NAME = "malformed-name"
NO_SUCH_COUNTER = "no-such-counter"
INVALID_FIELD = "invalid-field"
PERMISSION_MISSING = "permission-missing"
CREATION_OFF = "creation-off"
CREATION_OFF_MESSAGE = "this server makes no new counters on request (--public-counters existing)"
CREATION_LIMITED = "creation-limited"
SITE_NOT_SHOWN = "site-not-shown"
BAD_LINE = "bad-line"
WEAK_KEY = "weak-idempotency-key"
IN_FLIGHT = "request-in-flight"

BY_REASON: Mapping[CounterReason, tuple[int, str]] = {
    CounterReason.NOT_FOUND: (404, NO_SUCH_COUNTER),
    CounterReason.EXISTS: (409, "counter-exists"),
    CounterReason.OUT_OF_RANGE: (400, "out-of-range"),
    CounterReason.LIMITED: (429, CREATION_LIMITED),
    CounterReason.TOO_MANY: (409, "too-many-counters"),
    CounterReason.NOT_OWNED: (403, "not-owned"),
    CounterReason.NOT_OWNER: (403, "not-owner"),
    CounterReason.ALREADY_OWNED: (409, "already-owned"),
    CounterReason.NO_PROOF: (403, "no-proof"),
    CounterReason.RESERVED: (403, "namespace-reserved"),
    CounterReason.CLOSED: (403, "namespace-closed"),
    CounterReason.FULL: (403, "namespace-full"),
    CounterReason.FROZEN: (403, "frozen"),
}
"""Status and code of refusals about owners."""

BY_REFUSAL: Mapping[RefusalReason, tuple[str, str]] = {
    RefusalReason.MISSING: (NO_SUCH_COUNTER, "there is no such counter; only an amount of 1 creates it"),
    RefusalReason.OUT_OF_BOUNDS: ("out-of-bounds", "one change of this counter may add lower to upper, not more"),
    RefusalReason.OUT_OF_RANGE: ("out-of-range", "the value would leave the range of 64 bits; it is unchanged"),
    RefusalReason.CREATION_LIMITED: (
        CREATION_LIMITED,
        "too many new counters from your address; try again a little later",
    ),
    RefusalReason.LOCKED: ("locked", "only its owner changes this counter"),
    RefusalReason.RESTRICTED: (
        "restricted",
        "this counter counts visitors or pages that its owner has named; of a list, only its owner's additions count",
    ),
    RefusalReason.FROZEN: ("frozen", "the operator of this server stopped all changes of the counter; it can be read"),
    RefusalReason.CLOSED: (
        "namespace-closed",
        "the namespace is closed: only people with an account create counters in it",
    ),
    RefusalReason.FULL: ("namespace-full", "the namespace has as many counters as one may have"),
    RefusalReason.RESERVED: (
        "namespace-reserved",
        "the namespace is reserved: only the owner of its site creates counters in it",
    ),
}
"""Code and message of what is refused of a list of additions."""

ADDED = "added"
ADDITION_RESULTS = (ADDED, MALFORMED_NAME, CREATION_OFF, *(code for code, _ in BY_REFUSAL.values()))
"""What becomes of additions of a list, as the metrics count them."""

REASONS = frozenset(
    {
        *CODE_BY_STATUS.values(),
        *(code for _, code in BY_REASON.values()),
        SWITCHED_OFF,
        MALFORMED_NAME,
        INVALID_FIELD,
        PERMISSION_MISSING,
        CREATION_OFF,
        WEAK_KEY,
        IN_FLIGHT,
        SITE_NOT_SHOWN,
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
    refused = refusal_of(error)
    told = {"code": refused.code, "message": str(refused)}
    if refused.field is not None:
        told["field"] = refused.field
    body = _encode({"error": told})
    return ApiResponse(refused.status, body, (*UNCACHED, *refused.headers), reason=refused.reason)


def refusal_of(error: Exception) -> CounterRefused:
    """An error as a refusal; an unexpected one is also logged."""
    refused = _refused(error)
    if refused is None:
        number = secrets.token_hex(4)
        log.error("a request failed", surface=SURFACE, code=number, exc_info=error)
        refused = ApiRefused(f"unexpected error {number}; the server's log tells more", 500)
    if isinstance(refused, CounterRefused):
        return refused
    code = CODE_BY_STATUS.get(refused.status, CODE_BY_STATUS[400])
    named = CounterRefused(refused.status, code, str(refused), headers=refused.headers)
    named.reason = refused.reason or code
    return named


def _refused(error: Exception) -> ApiRefused | None:  # noqa: PLR0911  # one a kind of error
    """An error as the refusal of a request; None for an unexpected one."""
    match error:
        case StoreUnavailable():
            return store_refusal(error)
        case RateLimited():
            return ApiRefused(str(error), error.status, retry_after(max(error.admission.wait, 1)))
        case Unauthorized():
            return ApiRefused(str(error), error.status, ((b"www-authenticate", b"Bearer"),))
        case PermissionMissing():
            return CounterRefused(error.status, PERMISSION_MISSING, str(error))
        case ApiRefused():
            return error
        case OwningRefused():
            status, code = BY_REASON[error.reason]
            return CounterRefused(status, code, str(error), headers=retry_after(1) if status == LIMITED else ())
        case KeyInFlight():
            return CounterRefused(409, IN_FLIGHT, str(error), headers=retry_after(1))
        case InvalidFields():
            field, (message, *_) = next(iter(error.errors.items()))
            return CounterRefused(400, INVALID_FIELD, f"{field} {message}", field=field)
        case InputRefused() | KeyReused():
            return ApiRefused(str(error), 422 if isinstance(error, KeyReused) else 400)
    return None


def refuse(_path: str, refusal: Refusal) -> Answer:
    """Encode what the HTTP server refuses."""
    return answer_of(response_to(refused_by_server(refusal)), header_lines(COMMON))
