"""How errors become answers on this surface: ``{"error": "..."}`` or ``{"errors": {"key": ["...", ...]}}``.

ApiRefused           400, or the status that it is given
├── Unauthorized     401, with WWW-Authenticate
├── Forbidden        403
├── NotFound         404, always the same text
├── NotAllowed       405, with Allow
├── RateLimited      429, with Retry-After
└── Invalid          400 with ``errors``: what is wrong, by field
"""

import secrets
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from tallystick.errors import (
    STORE_ERRORS,
    InputRefused,
    InvalidFields,
    NoSuchSite,
    NotPermitted,
    StoreUnavailable,
    TallystickError,
)
from tallystick.surfaces.goatcounter.api.calling import Answer, Headers
from tallystick.web.bodies import BodyRefused
from tallystick.web.rate_limit import Admission

SURFACE = "goatcounter"
TIMED_OUT = "server timed out loading data"

log = structlog.get_logger()

_encode = msgspec.json.Encoder().encode

_REASONS = {
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
REASONS = frozenset({*_REASONS.values(), *(error.reason for error in STORE_ERRORS)})
"""Every reason under which this surface's refusals are counted."""


class ApiRefused(TallystickError):
    """A request that is refused; 400 unless a subclass says otherwise.

    Attributes:
        status: HTTP status.
        text: the value of ``error``.
    """

    status = 400

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        if status is not None:
            self.status = status

    @property
    def body(self) -> Mapping[str, object]:
        """What the answer says."""
        return {"error": self.text}

    @property
    def encoded(self) -> bytes:
        """The answer's body."""
        return _encode(self.body)

    @property
    def headers(self) -> Headers:
        """What the answer says in its headers."""
        return ()


class Unauthorized(ApiRefused):
    """No token, or one that is not good."""

    status = 401

    @property
    def headers(self) -> Headers:
        """Which scheme is understood."""
        return ((b"www-authenticate", b"Basic realm=GoatCounter"),)


class Forbidden(ApiRefused):
    """A good token that may not do this."""

    status = 403


class NotFound(ApiRefused):
    """No such thing, or another site's: on purpose the same text."""

    status = 404

    def __init__(self) -> None:
        super().__init__("not found")


class NotAllowed(ApiRefused):
    """The path is there for other methods.

    Attributes:
        methods: the ones it is there for.
    """

    status = 405

    def __init__(self, methods: Sequence[str]) -> None:
        super().__init__("method not allowed")
        self.methods = methods

    @property
    def headers(self) -> Headers:
        """Which methods there are."""
        return ((b"allow", ", ".join(self.methods).encode()),)


class RateLimited(ApiRefused):
    """Too many requests.

    Attributes:
        admission: what the limit said.
    """

    status = 429

    def __init__(self, admission: Admission) -> None:
        wait = f"{admission.reset:.1f}s" if admission.reset >= 1 else f"{admission.reset * 1000:.1f}ms"
        super().__init__(f"rate limited exceeded; try again in {wait}")
        self.admission = admission

    @property
    def encoded(self) -> bytes:
        """The one body that has a space after the colon."""
        return b'{"error": %b}' % _encode(self.text)

    @property
    def headers(self) -> Headers:
        """When to come back."""
        return ((b"retry-after", b"%d" % self.admission.wait),)


class InvalidValues(ApiRefused):
    """Fields that are wrong.

    Attributes:
        errors: field -> messages.
    """

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join(f"{key}: {', '.join(messages)}" for key, messages in errors.items()))
        self.errors = errors

    @property
    def body(self) -> Mapping[str, object]:
        """Messages by field."""
        return {"errors": self.errors}


def answer_to(error: Exception) -> Answer:
    """What an error says to the client; one that nobody expected also goes to the log."""
    if isinstance(error, NoSuchSite):
        error = ApiRefused(no_such_site(error.host))
    elif isinstance(error, InvalidFields):
        error = InvalidValues(error.errors)
    elif isinstance(error, NotPermitted):
        error = Forbidden(str(error))
    elif isinstance(error, InputRefused):
        error = ApiRefused(str(error))
    if isinstance(error, ApiRefused):
        return Answer(error.status, error.encoded, error.headers)
    if isinstance(error, BodyRefused):
        headers = ((b"retry-after", b"%d" % error.retry_after),) if error.retry_after else ()
        return Answer(error.status, _encode({"error": str(error)}), headers)
    if isinstance(error, StoreUnavailable):
        return _unavailable(error)
    if isinstance(error, TimeoutError):
        return Answer(504, _encode({"error": TIMED_OUT}))
    return _unexpected(error)


class SiteElsewhere(ApiRefused):
    """400: the request's Host chooses no site, but the token has sites.

    Attributes:
        hosts: of sites that the token reads.
    """

    def __init__(self, host: str, hosts: Sequence[str]) -> None:
        super().__init__(no_such_site(host))
        self.hosts = hosts

    @property
    def body(self) -> Mapping[str, object]:
        """The contract's error, and beside it what to do."""
        return {"error": str(self), "sites": self.hosts, "hint": f"send the site's Host, for example {self.hosts[0]}"}


def no_such_site(host: str) -> str:
    """What is said to a request whose Host chooses no site."""
    return f'no site at this domain ("{host}")'


def reason_of(answer: Answer) -> str | None:
    """Under which reason an answer is counted as a refusal; None for a success."""
    return None if answer.status < 400 else answer.refused or _REASONS.get(answer.status, "bad request")  # noqa: PLR2004


def _unavailable(error: StoreUnavailable) -> Answer:
    """503 when trying again may help, else 500. Never a success."""
    if error.retry_after is None:
        return Answer(500, _encode({"error": "not acknowledged: the storage failed"}), refused=error.reason)
    headers = ((b"retry-after", b"%d" % error.retry_after),)
    return Answer(503, _encode({"error": f"not acknowledged: {error}"}), headers, refused=error.reason)


def _unexpected(error: Exception) -> Answer:
    code = secrets.token_hex(4)
    log.error("a request failed", surface=SURFACE, code=code, exc_info=error)
    return Answer(500, _encode({"error": f"unexpected error code ‘{code}’; the server's log tells more"}))  # noqa: RUF001  # the contract's quotes
