"""Errors as responses of this surface: ``{"message", "code", "name", "traceId"}``.

ApiRefused           see ``web.refusals``; its status chooses the code
└── CodedRefusal     one of the contract's errors
    └── Malformed    the request is malformed; raised only to a principal with the permission
"""

import secrets
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
from tallystick.services.accounts.tickets import VALID_S, TooManyTickets
from tallystick.surfaces.counttogether import wire
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

SURFACE = "counttogether"
REALM = b'Bearer realm="counttogether"'

log = structlog.get_logger()


class ErrorKind(NamedTuple):
    """One kind of error.

    Attributes:
        code: number by which clients distinguish errors.
        reason: name in the metrics.
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
EXPECTATION = ErrorKind(-1417, "ExpectationFailed", 417, "expectation")
KEY_REUSED = ErrorKind(-1422, "IdempotencyKeyReused", 422, "idempotency key reused")
UPGRADE = ErrorKind(-1426, "UpgradeRequired", 426, "upgrade required")
LIMITED = ErrorKind(-1429, "RateLimitExceeded", 429, "rate limited")
HEAD_TOO_LARGE = ErrorKind(-1431, "HeadersTooLarge", 431, "head too large")
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
"""Refusals by the rules of sharing. -2041 is inferred from its neighbours; -2043 to -2048 are ours."""

_OTHERS = (
    UNKNOWN,
    UNAUTHORIZED,
    NOT_ALLOWED,
    TOO_SLOW,
    IN_FLIGHT,
    TOO_LARGE,
    EXPECTATION,
    KEY_REUSED,
    UPGRADE,
    HEAD_TOO_LARGE,
    LIMITED,
    UNAVAILABLE,
)
KINDS = tuple(dict.fromkeys((*_OTHERS, *BY_REASON.values())))
KIND_BY_STATUS = {kind.status: kind for kind in reversed(KINDS)}
"""The first kind of each status: the one of refusals that all surfaces share."""
REASON_BY_STATUS = {status: kind.reason for status, kind in KIND_BY_STATUS.items()}
REASONS = frozenset({*REASON_BY_STATUS.values(), *(error.reason for error in STORE_ERRORS)})
"""Every reason under which this surface's refusals are counted."""


_EXPECTED: dict[type[TallystickError], tuple[ErrorKind, Headers]] = {
    KeyReused: (KEY_REUSED, ()),
    KeyInFlight: (IN_FLIGHT, retry_after(1)),
    InputRefused: (INVALID_DATA, ()),
    TooManyTickets: (UNAVAILABLE, retry_after(int(VALID_S))),
}


class CodedRefusal(ApiRefused):
    """A request is refused with an error of the contract.

    Attributes:
        kind: the error.
    """

    def __init__(self, kind: ErrorKind, message: str, headers: Headers = ()) -> None:
        super().__init__(message, kind.status, headers, reason=kind.reason)
        self.kind = kind


class Malformed(CodedRefusal):
    """The request is malformed."""

    def __init__(self, message: str, kind: ErrorKind = INVALID_DATA) -> None:
        super().__init__(kind, message)


def response_to(error: Exception) -> ApiResponse:
    """The response to an error; an unexpected one is also logged."""
    if isinstance(error, StoreUnavailable):
        error = store_refusal(error)
    if isinstance(error, ApiRefused):
        kind = error.kind if isinstance(error, CodedRefusal) else KIND_BY_STATUS[error.status]
        return _response(kind, str(error), _headers(error), error.reason)
    if isinstance(error, SharingRefused):
        return _response(BY_REASON[error.reason], str(error))
    for expected, (kind, headers) in _EXPECTED.items():
        if isinstance(error, expected):
            return _response(kind, str(error), headers)
    return _unexpected(error)


def _headers(error: ApiRefused) -> Headers:
    if isinstance(error, RateLimited):
        return (*retry_after(max(error.admission.wait, 1)), *error.headers)
    if isinstance(error, Unauthorized):
        return (_challenge(b'error="%b"' % error.error if error.error else b""),)
    if isinstance(error, PermissionMissing):
        return (_challenge(b'error="insufficient_scope", scope="%b"' % error.permission.label.encode()),)
    return error.headers


def _challenge(problem: bytes) -> tuple[bytes, bytes]:
    return b"www-authenticate", REALM + (b", " + problem if problem else b"")


def refusal_of(error: SharingRefused, trace: str = "") -> ApiResponse:
    """The response to a refusal.

    Args:
        trace: the traceId; a new one if it is empty.
    """
    kind = BY_REASON[error.reason]
    return ApiResponse(kind.status, wire.json(error_body(kind, str(error), trace)))


def error_of(error: SharingRefused) -> dict[str, object]:
    """A refusal as one result of a batch."""
    kind = BY_REASON[error.reason]
    return {"status": kind.status, "error": {"message": str(error), "code": kind.code, "name": kind.name}}


def error_body(kind: ErrorKind, message: str, trace: str = "") -> dict[str, object]:
    """The body of an error.

    Args:
        trace: the traceId of the error in the log; a new one if the error is not logged.
    """
    return {"message": message, "code": kind.code, "name": kind.name, "traceId": trace or secrets.token_hex(8)}


def _response(kind: ErrorKind, message: str, headers: Headers = (), reason: str | None = None) -> ApiResponse:
    return ApiResponse(kind.status, wire.json(error_body(kind, message)), headers, reason=reason or kind.reason)


def _unexpected(error: Exception) -> ApiResponse:
    body = error_body(UNKNOWN, "unexpected error; the server's log tells more under the traceId")
    log.error("a request failed", surface=SURFACE, trace=body["traceId"], exc_info=error)
    return ApiResponse(500, wire.json(body), reason=UNKNOWN.reason)
