"""Errors as responses of this surface: ``{"error": "..."}`` or ``{"errors": {"key": ["...", ...]}}``.

ApiRefused           see ``web.refusals``; here 401 has WWW-Authenticate: Basic
├── NotFound         404, always the same text
├── InvalidValues    400 with ``errors``: messages by field
└── SiteElsewhere    400 with the Hosts of the token's sites
"""

import secrets
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from tallystick.errors import (
    STORE_ERRORS,
    InputRefused,
    InvalidFields,
    KeyInFlight,
    KeyReused,
    NoSuchSite,
    NotPermitted,
    StoreUnavailable,
)
from tallystick.web.answers import ApiResponse
from tallystick.web.refusals import (
    ApiRefused,
    Headers,
    PermissionMissing,
    RateLimited,
    Unauthorized,
    retry_after,
    store_refusal,
)

SURFACE = "goatcounter"
IN_FLIGHT = "the request with this Idempotency-Key is being carried out; try again in a second"
TIMED_OUT = "server timed out loading data"

_CHALLENGE: Headers = ((b"www-authenticate", b"Basic realm=GoatCounter"),)

log = structlog.get_logger()

_encode = msgspec.json.Encoder().encode

REASON_BY_STATUS = {
    400: "bad request",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    408: "body too slow",
    409: "conflict",
    413: "body too large",
    414: "query too long",
    415: "no JSON",
    422: "idempotency key reused",
    429: "rate limited",
    500: "internal error",
    503: "too many bodies",
    504: "timed out",
}
REASONS = frozenset({*REASON_BY_STATUS.values(), "request in flight", *(error.reason for error in STORE_ERRORS)})
"""Every reason under which this surface's refusals are counted."""


class NotFound(ApiRefused):
    """The resource does not exist, or belongs to another site; deliberately the same text."""

    status = 404

    def __init__(self) -> None:
        super().__init__("not found")


class InvalidValues(ApiRefused):
    """Fields are not valid.

    Attributes:
        errors: field -> messages.
    """

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join(f"{key}: {', '.join(messages)}" for key, messages in errors.items()))
        self.errors = errors


class SiteElsewhere(ApiRefused):
    """The request's Host chooses no site, but the token has sites.

    Attributes:
        hosts: of sites that the token may read.
    """

    def __init__(self, host: str, hosts: Sequence[str]) -> None:
        super().__init__(no_such_site(host))
        self.hosts = hosts


def no_such_site(host: str) -> str:
    """The message for a request whose Host chooses no site."""
    return f'no site at this domain ("{host}")'


def response_to(error: Exception) -> ApiResponse:
    """The response to an error; an unexpected one is also logged."""
    if isinstance(error, StoreUnavailable):
        error = store_refusal(error)
    elif isinstance(error, KeyReused | KeyInFlight):
        error = _key_refusal(error)
    if isinstance(error, ApiRefused):
        return ApiResponse(error.status, _body(error), _headers(error), reason=error.reason)
    if isinstance(error, NoSuchSite):
        return _response(400, no_such_site(error.host))
    if isinstance(error, InvalidFields):
        return ApiResponse(400, _encode({"errors": error.errors}))
    if isinstance(error, InputRefused):
        return _response(403 if isinstance(error, NotPermitted) else 400, str(error))
    if isinstance(error, TimeoutError):
        return _response(504, TIMED_OUT)
    return _unexpected(error)


def _key_refusal(error: KeyReused | KeyInFlight) -> ApiRefused:
    """422 if the key was used for another request, 409 while the first request with it is in flight."""
    if isinstance(error, KeyReused):
        return ApiRefused("this Idempotency-Key was used for another request", 422)
    return ApiRefused(IN_FLIGHT, 409, retry_after(1), reason="request in flight")


def _body(error: ApiRefused) -> bytes:
    if isinstance(error, RateLimited):
        return b'{"error": %b}' % _encode(_limit_text(error))  # the one body with a space after the colon
    if isinstance(error, InvalidValues):
        return _encode({"errors": error.errors})
    if isinstance(error, SiteElsewhere):
        hint = f"send the site's Host, for example {error.hosts[0]}"
        return _encode({"error": str(error), "sites": error.hosts, "hint": hint})
    if isinstance(error, PermissionMissing):
        return _encode({"error": f"requires '{error.permission.label}' permissions"})
    return _encode({"error": str(error)})


def _headers(error: ApiRefused) -> Headers:
    if isinstance(error, Unauthorized):
        return _CHALLENGE
    return retry_after(error.admission.wait) if isinstance(error, RateLimited) else error.headers


def _limit_text(error: RateLimited) -> str:
    reset = error.admission.reset
    return f"rate limited exceeded; try again in {f'{reset:.1f}s' if reset >= 1 else f'{reset * 1000:.1f}ms'}"


def _response(status: int, text: str) -> ApiResponse:
    return ApiResponse(status, _encode({"error": text}))


def _unexpected(error: Exception) -> ApiResponse:
    code = secrets.token_hex(4)
    log.error("a request failed", surface=SURFACE, code=code, exc_info=error)
    return _response(500, f"unexpected error code ‘{code}’; the server's log tells more")  # noqa: RUF001  # the contract's quotes
