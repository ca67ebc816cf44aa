"""Errors as responses of this surface: ``{"error": "..."}``."""

from typing import NamedTuple

from tallystick.errors import (
    STORE_ERRORS,
    InputRefused,
    KeyInFlight,
    KeyReused,
    StoreUnavailable,
)
from tallystick.model.counter import RefusalReason
from tallystick.surfaces.countapi.wire import Headers, Payload, error_body

MALFORMED_NAME = "Malformed Namespace/Key"
BAD_REQUEST = "bad request"
CREATION_LIMITED = RefusalReason.CREATION_LIMITED.value
INTERNAL_ERROR = "internal error"
KEY_REUSED = "idempotency key reused"
KEY_IN_FLIGHT = "request in flight"
KEYED_LIMITED = "keyed rate limited"

NOT_FOUND = Payload(
    404,
    error_body("not found: there are get, set, update, hit, create, info and stats"),
    refused="no such endpoint",
)
METHOD_NOT_ALLOWED = Payload(
    405,
    error_body("Use GET or POST."),
    headers=((b"allow", b"GET, HEAD, POST, OPTIONS"),),
    refused="method not allowed",
)
SWITCHED_OFF = Payload(
    403,
    error_body("Public counters are switched off on this server (--public-counters off)."),
    refused="public counters are off",
)
NO_CREATION = Payload(
    403,
    error_body(
        "This server makes no new counters on request (--public-counters existing). Its operator makes them with:"
        " tallystick counter create NAMESPACE/KEY"
    ),
    refused="creation is off",
)
TOO_LONG = Payload(414, error_body("The query is too long."), refused="query too long")


class RefusedOutcome(NamedTuple):
    """The response to a refused operation.

    Attributes:
        body: None where the endpoint has its own body for it.
    """

    status: int
    body: bytes | None = None
    headers: Headers = ()


REFUSALS = {
    RefusalReason.MISSING: RefusedOutcome(404),
    RefusalReason.EXISTS: RefusedOutcome(409),
    RefusalReason.OUT_OF_BOUNDS: RefusedOutcome(403),
    RefusalReason.NOT_RESETTABLE: RefusedOutcome(403),
    RefusalReason.LOCKED: RefusedOutcome(403),
    RefusalReason.RESTRICTED: RefusedOutcome(403),
    RefusalReason.FROZEN: RefusedOutcome(403),
    RefusalReason.CLOSED: RefusedOutcome(
        403, error_body("This namespace is closed: no new counters are made in it. Those that are there count.")
    ),
    RefusalReason.FULL: RefusedOutcome(
        403, error_body("This namespace has as many counters as one may have. Those that are there count.")
    ),
    RefusalReason.RESERVED: RefusedOutcome(
        403, error_body("This namespace is reserved: only the owner of its site creates counters in it.")
    ),
    # The original never documented these two.
    RefusalReason.OUT_OF_RANGE: RefusedOutcome(
        400, error_body("The value would leave the signed 64-bit range. It is unchanged.")
    ),
    RefusalReason.CREATION_LIMITED: RefusedOutcome(
        429,
        error_body("Too many new keys from your address. Try again a little later."),
        ((b"retry-after", b"1"),),  # of longer windows, the surface knows more
    ),
}

REASONS = frozenset(
    {
        BAD_REQUEST,
        INTERNAL_ERROR,
        KEY_REUSED,
        KEY_IN_FLIGHT,
        KEYED_LIMITED,
        *(str(answer.refused) for answer in (NOT_FOUND, METHOD_NOT_ALLOWED, TOO_LONG, SWITCHED_OFF, NO_CREATION)),
        *(error.reason for error in STORE_ERRORS),
        *(reason.value for reason in RefusalReason),
    }
)
"""Every reason under which this surface's refusals are counted."""


def refused(reason: RefusalReason, body: bytes, path: bytes) -> Payload:
    """The response to a refused operation.

    Args:
        body: the endpoint's own, used where the refusal has none.
    """
    status, own_body, headers = REFUSALS[reason]
    return Payload(status, own_body or body, path, headers, reason.value)


def bad_request(error: InputRefused, path: bytes | None = None) -> Payload:
    """400 with the message."""
    return Payload(400, error_body(str(error)), path, refused=BAD_REQUEST)


def key_refusal(error: KeyReused | KeyInFlight, path: bytes) -> Payload:
    """422 if the key was used for another request, 409 while the first request with it is in flight."""
    if isinstance(error, KeyReused):
        text = "This Idempotency-Key was sent with another request. A new request needs a new key."
        return Payload(422, error_body(text), path, refused=KEY_REUSED)
    text = "The request with this Idempotency-Key is being carried out. Try again in a second."
    return Payload(409, error_body(text), path, ((b"retry-after", b"1"),), KEY_IN_FLIGHT)


def too_many_keyed(wait: int, path: bytes) -> Payload:
    """429: nothing was counted, and nothing was recorded for the key."""
    text = f"Too many requests with an Idempotency-Key. Try again in {wait} seconds."
    return Payload(429, error_body(text), path, ((b"retry-after", b"%d" % wait),), KEYED_LIMITED)


def internal(path: bytes | None) -> Payload:
    """Answer an unexpected error with 500; only the log has the details."""
    return Payload(500, error_body("Internal error."), path, refused=INTERNAL_ERROR)


def unavailable(error: StoreUnavailable, path: bytes | None) -> Payload:
    """503 when trying again may help, else 500. Never a success."""
    if error.retry_after is None:
        return Payload(500, error_body("Not acknowledged: the storage failed."), path, refused=error.reason)
    headers = ((b"retry-after", b"%d" % error.retry_after),)
    return Payload(503, error_body(f"Not acknowledged: {error}."), path, headers, error.reason)
