"""When a call is sent once more, and after which pause.

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
from tallystick.client.errors import ClientError, ConnectionFailed, ConnectionLost, Refused

PAUSES_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
LONGEST_WAIT_S = 60.0
"""A refusal that asks to wait for longer is raised instead."""

UNAVAILABLE = frozenset({httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT})


class Policy(Struct, frozen=True):
    """How often a client tries.

    Attributes:
        retries: beyond the first try.
        idempotent: whether the server keeps what it answered to an Idempotency-Key. Tallystick does.
    """

    retries: int = 5
    idempotent: bool = True

    def key_of(self, call: Call[Any]) -> str | None:
        """The key that a call carries: its caller's own, or one that makes it repeatable."""
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
        """Seconds to wait until the next try; raises the error when there is none."""
        told = translated(error)
        if self._left <= 0 or not self._helps(told) or wanted_pause(told) > LONGEST_WAIT_S:
            raise told from (error if told is not error else None)
        self._left -= 1
        return max(wanted_pause(told), jittered(next(self._pauses, PAUSES_S[-1])))

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
    """What httpx raised, as one of our own errors; whatever else it is stays as it is."""
    if isinstance(error, ClientError):
        return error
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)):
        return ConnectionFailed(text)
    if isinstance(error, (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)):
        return ConnectionLost(text)
    return error


def wanted_pause(error: Exception | None) -> float:
    """Seconds that the server asked to wait; 0 if it did not. Only ever lengthens the client's own pause."""
    return (error.retry_after or 0.0) if isinstance(error, Refused) else 0.0


def jittered(seconds: float) -> float:
    """Between half of it and all of it, so that many clients do not come back at once."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311  # no secret


def backoff(pauses: Sequence[float], tries: int) -> float:
    """The pause after so many failures in a row, jittered; the last one repeats."""
    return jittered(pauses[min(tries, len(pauses) - 1)])
