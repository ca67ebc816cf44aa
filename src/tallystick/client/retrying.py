"""When a call is retried, and after which pause.

Nothing is counted twice. A call that never reached the server, and one that its rate limit refused, is sent again
in any case. One that may have arrived is sent again only if that does no harm: it reads, or it carries an
Idempotency-Key that the server is known to keep.
"""

import random
from collections.abc import Sequence
from typing import Any

import httpx
from msgspec import Struct

from tallystick.client.calls import Call, Repeat
from tallystick.client.errors import (
    ClientError,
    ConnectionFailed,
    ConnectionLost,
    InvalidArgument,
    Refused,
    UnexpectedAnswer,
)

PAUSES_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
LONGEST_WAIT_S = 60.0
"""A refusal that asks to wait for longer is raised instead."""

UNAVAILABLE = frozenset({httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT})


class Policy(Struct, frozen=True):
    """How often a client retries.

    Attributes:
        retries: tries after the first one.
        idempotent: whether the server supports Idempotency-Key. Tallystick does.
    """

    retries: int = 5
    idempotent: bool = True

    def key_of(self, call: Call[Any]) -> str | None:
        """The Idempotency-Key to send: the caller's, or a generated one that makes the call repeatable."""
        if call.key is not None or call.repeat is not Repeat.KEYED:
            return call.key
        return call.made_key if self.idempotent and self.retries > 0 else None

    def may_repeat(self, call: Call[Any]) -> bool:
        """Whether a call that may have arrived may be sent again."""
        return call.repeat is Repeat.SAFE or (call.repeat is Repeat.KEYED and self.idempotent)


class Attempts:
    """The tries of one call."""

    def __init__(self, policy: Policy, call: Call[Any]) -> None:
        self._left = policy.retries
        self._pauses = iter(PAUSES_S)
        self._may_repeat = policy.may_repeat(call)

    def pause_after(self, error: Exception) -> float:
        """Seconds to wait before the next try; raises the error when there is no next try."""
        failure = translated(error)
        if self._left <= 0 or not self._helps(failure) or requested_pause(failure) > LONGEST_WAIT_S:
            raise failure from (error if failure is not error else None)
        self._left -= 1
        return max(requested_pause(failure), jittered(next(self._pauses, PAUSES_S[-1])))

    def _helps(self, error: Exception) -> bool:
        if isinstance(error, ConnectionFailed):
            return True
        if isinstance(error, ConnectionLost):
            return self._may_repeat
        if not isinstance(error, Refused):
            return False
        if error.status == httpx.codes.TOO_MANY_REQUESTS or error.in_flight:
            return True
        return error.status in UNAVAILABLE and self._may_repeat


def translated(error: Exception) -> Exception:
    """Turn an error of httpx into a ``ClientError``; return any other error unchanged."""
    if isinstance(error, ClientError):
        return error
    if isinstance(error, httpx.InvalidURL):
        return InvalidArgument("the request has a URL that cannot be sent, such as one that is too long")
    if isinstance(error, httpx.DecodingError):
        return UnexpectedAnswer("the response cannot be decompressed")
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)):
        return ConnectionFailed(text)
    return ConnectionLost(text) if isinstance(error, httpx.RequestError) else error


def requested_pause(error: Exception | None) -> float:
    """Seconds from ``Retry-After``; 0 without one. It may lengthen the client's own pause, never shorten it."""
    return (error.retry_after or 0.0) if isinstance(error, Refused) else 0.0


def jittered(seconds: float) -> float:
    """A random time between half of it and all of it, so that many clients do not return at once."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311  # no secret


def backoff(pauses: Sequence[float], tries: int) -> float:
    """The pause after ``tries`` failures in a row, jittered; the last pause repeats."""
    return jittered(pauses[min(tries, len(pauses) - 1)])
