"""How errors become answers on this surface: ``{"message", "code", "name", "traceId"}``.

ApiRefused           says what kind of error it is, and a sentence
├── Malformed        what was sent makes no sense; told only to those who may do what they ask for
├── Unauthorized     401, with WWW-Authenticate
├── Forbidden        403 for a token that may not do this
├── NotAllowed       405, with Allow
└── RateLimited      429, with Retry-After
"""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from tallystick.errors import (
    STORE_ERRORS,
    InputRefused,
    KeyInFlight,
    KeyReused,
    SharingReason,
    SharingRefused,
    StoreUnavailable,
    TallystickError,
)
from tallystick.model.account import Permission
from tallystick.services.accounts.tickets import VALID_S, TooManyTickets
from tallystick.services.kept_answers import KeptAnswer
from tallystick.surfaces.counttogether import wire
from tallystick.surfaces.counttogether.answers import Answer, Headers
from tallystick.web.bodies import RETRY_AFTER_S, BodyCutShort, BodyTooSlow, TooManyBodies
from tallystick.web.rate_limit import Admission

SURFACE = "counttogether"
REALM = b'Bearer realm="counttogether"'

log = structlog.get_logger()


class ErrorKind(NamedTuple):
    """One kind of error.

    Attributes:
        code: what clients tell errors apart by.
        reason: what the metrics count it as.
    """

    code: int
    name: str
    status: int
    reason: str


UNKNOWN = ErrorKind(-1000, "Unknown", 500, "internal error")
NOT_FOUND = ErrorKind(-1100, "NotFound", 404, "not found")
UNAUTHORIZED = ErrorKind(-1401, "Unauthorized", 401, "unauthorized")
FORBIDDEN = ErrorKind(-1403, "Forbidden", 403, "forbidden")
NOT_ALLOWED = ErrorKind(-1405, "MethodNotAllowed", 405, "method not allowed")
TOO_SLOW = ErrorKind(-1408, "RequestTimeout", 408, "body too slow")
IN_FLIGHT = ErrorKind(-1409, "RequestInFlight", 409, "request in flight")
TOO_LARGE = ErrorKind(-1413, "BodyTooLarge", 413, "body too large")
KEY_REUSED = ErrorKind(-1422, "IdempotencyKeyReused", 422, "idempotency key reused")
UPGRADE = ErrorKind(-1426, "UpgradeRequired", 426, "upgrade required")
LIMITED = ErrorKind(-1429, "RateLimitExceeded", 429, "rate limited")
UNAVAILABLE = ErrorKind(-1503, "Unavailable", 503, "unavailable")
INVALID_DATA = ErrorKind(-2000, "InvalidData", 400, "invalid data")
INVALID_AMOUNT = ErrorKind(-2042, "InvalidAmount", 400, "invalid amount")

BY_REASON = {
    SharingReason.NOT_FOUND: NOT_FOUND,
    SharingReason.FORBIDDEN: FORBIDDEN,
    SharingReason.INVALID_DATA: INVALID_DATA,
    SharingReason.UNKNOWN_TYPE: ErrorKind(-2010, "UnknownCounterType", 400, "unknown counter type"),
    SharingReason.INVALID_MODE: ErrorKind(-2011, "InvalidMode", 400, "invalid mode"),
    SharingReason.INVALID_START_DATE: ErrorKind(-2020, "InvalidStartDate", 400, "invalid date"),
    SharingReason.INVALID_END_DATE: ErrorKind(-2021, "InvalidEndDate", 400, "invalid date"),
    SharingReason.NAME_LENGTH: ErrorKind(-2030, "DisplayNameInvalidLength", 400, "name length"),
    SharingReason.WRONG_TYPE: ErrorKind(-2040, "InvalidOperationForCounterType", 400, "not for this type"),
    SharingReason.GOAL_EXCEEDED: ErrorKind(-2041, "GoalExceedingNotAllowed", 400, "goal exceeded"),
    SharingReason.INVALID_AMOUNT: INVALID_AMOUNT,
    SharingReason.OUT_OF_RANGE: ErrorKind(-2043, "ValueOutOfRange", 400, "out of range"),
    SharingReason.NOTHING_TO_UNDO: ErrorKind(-2044, "NothingToUndo", 409, "nothing to undo"),
    SharingReason.LAST_ADMIN: ErrorKind(-2045, "LastAdmin", 409, "last admin"),
    SharingReason.GONE: ErrorKind(-2046, "Gone", 410, "gone"),
    SharingReason.TOO_MANY: ErrorKind(-2047, "LimitReached", 409, "limit reached"),
    SharingReason.CHANGED_MEANWHILE: ErrorKind(-2048, "ChangedMeanwhile", 412, "changed meanwhile"),
}
"""What the rules of sharing refuse. -2041 is inferred from its neighbours; -2043 to -2048 are ours."""

_OTHERS = (
    UNKNOWN,
    UNAUTHORIZED,
    NOT_ALLOWED,
    TOO_SLOW,
    IN_FLIGHT,
    TOO_LARGE,
    KEY_REUSED,
    UPGRADE,
    LIMITED,
    UNAVAILABLE,
)
KINDS = tuple(dict.fromkeys((*_OTHERS, *BY_REASON.values())))
_STORE = tuple(error.reason for error in STORE_ERRORS)
_BY_STATUS = {kind.status: kind.reason for kind in reversed(KINDS)}
REASONS = frozenset({*_BY_STATUS.values(), *_STORE})
"""Every reason under which this surface's refusals are counted."""


_EXPECTED: dict[type[TallystickError], tuple[ErrorKind, Headers]] = {
    KeyReused: (KEY_REUSED, ()),
    KeyInFlight: (IN_FLIGHT, ((b"retry-after", b"1"),)),
    InputRefused: (INVALID_DATA, ()),
    BodyCutShort: (INVALID_DATA, ()),
    BodyTooSlow: (TOO_SLOW, ()),
    TooManyBodies: (UNAVAILABLE, ((b"retry-after", b"%d" % RETRY_AFTER_S),)),
    TooManyTickets: (UNAVAILABLE, ((b"retry-after", b"%d" % VALID_S),)),
}


class ApiRefused(TallystickError):
    """A request that is refused.

    Attributes:
        kind: what kind of error it is.
        headers: what the answer says in its headers.
    """

    def __init__(self, kind: ErrorKind, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.kind, self.headers = kind, headers


class Malformed(ApiRefused):
    """What was sent makes no sense."""

    def __init__(self, message: str, kind: ErrorKind = INVALID_DATA) -> None:
        super().__init__(kind, message)


class Unauthorized(ApiRefused):
    """No token, or one that is not good.

    Args:
        error: of RFC 6750; for who has sent a token.
    """

    def __init__(self, message: str, error: bytes = b"") -> None:
        challenge = REALM + (b', error="%b"' % error if error else b"")
        super().__init__(UNAUTHORIZED, message, ((b"www-authenticate", challenge),))


class Forbidden(ApiRefused):
    """A good token that may not do this."""

    def __init__(self, needed: Permission) -> None:
        challenge = b'%b, error="insufficient_scope", scope="%b"' % (REALM, needed.label.encode())
        super().__init__(
            FORBIDDEN, f"this takes a token with the permission {needed.label}", ((b"www-authenticate", challenge),)
        )


class NotAllowed(ApiRefused):
    """The path is there for other methods."""

    def __init__(self, methods: Sequence[str]) -> None:
        super().__init__(NOT_ALLOWED, "method not allowed", ((b"allow", ", ".join(methods).encode()),))


class RateLimited(ApiRefused):
    """Too many requests.

    Attributes:
        admission: what the limit said.
    """

    def __init__(self, admission: Admission) -> None:
        wait = max(admission.wait, 1)
        super().__init__(LIMITED, f"too many requests; try again in {wait} s", ((b"retry-after", b"%d" % wait),))
        self.admission = admission


def no_such_path() -> ApiRefused:
    """404 for what is no endpoint."""
    return ApiRefused(NOT_FOUND, "not found")


def answer_to(error: Exception) -> Answer:
    """What an error says to the client; one that nobody expected also goes to the log."""
    if isinstance(error, ApiRefused):
        return _answer(error.kind, str(error), error.headers)
    if isinstance(error, SharingRefused):
        return _answer(BY_REASON[error.reason], str(error))
    if isinstance(error, StoreUnavailable):
        return _unavailable(error)
    for expected, (kind, headers) in _EXPECTED.items():
        if isinstance(error, expected):
            return _answer(kind, str(error), headers)
    return _unexpected(error)


def kept_refusal(error: SharingRefused) -> KeptAnswer:
    """A refusal that is kept with its request's key."""
    kind = BY_REASON[error.reason]
    return KeptAnswer(kind.status, wire.json(error_body(kind, str(error))))


def error_of(error: SharingRefused) -> dict[str, object]:
    """A refusal as one result of several."""
    kind = BY_REASON[error.reason]
    return {"status": kind.status, "error": {"message": str(error), "code": kind.code, "name": kind.name}}


def error_body(kind: ErrorKind, message: str, trace: str = "") -> dict[str, object]:
    """The body of an error.

    Args:
        trace: under which the log tells more; a new one where it does not.
    """
    return {"message": message, "code": kind.code, "name": kind.name, "traceId": trace or secrets.token_hex(8)}


def reason_of(answer: Answer) -> str | None:
    """Under which reason an answer is counted as a refusal; None for a success."""
    return None if answer.status < 400 else answer.refused or _BY_STATUS.get(answer.status, INVALID_DATA.reason)  # noqa: PLR2004


def _answer(kind: ErrorKind, message: str, headers: Headers = ()) -> Answer:
    return Answer(kind.status, wire.json(error_body(kind, message)), headers, refused=kind.reason)


def _unavailable(error: StoreUnavailable) -> Answer:
    """503 when trying again may help, else 500. Never a success."""
    if error.retry_after is None:
        body = error_body(UNKNOWN, "not acknowledged: the storage failed")
        return Answer(500, wire.json(body), refused=error.reason)
    body = error_body(UNAVAILABLE, f"not acknowledged: {error}")
    return Answer(503, wire.json(body), ((b"retry-after", b"%d" % error.retry_after),), refused=error.reason)


def _unexpected(error: Exception) -> Answer:
    body = error_body(UNKNOWN, "unexpected error; the server's log tells more under the traceId")
    log.error("a request failed", surface=SURFACE, trace=body["traceId"], exc_info=error)
    return Answer(500, wire.json(body), refused=UNKNOWN.reason)
