"""Limits that hold over all servers of a ledger: their windows are in PostgreSQL.

For limits that guesses at passwords and lasting things depend on, which are few: each request that they judge is a
statement. Addresses are not stored: a window is found by a digest, keyed with a random value that the servers share,
and removed when it is over.
"""

import secrets
from collections.abc import Hashable
from hashlib import blake2b
from typing import NamedTuple, Self

from tallystick.ledger import Ledger, Session
from tallystick.services.accounts.login_delays import forget_attempts
from tallystick.tasks import BackgroundTask

KEY, KEY_BYTES = "limits", 32
"""The name of the key of digests among the secrets that the servers have in common."""
DIGEST_BYTES = 16
SWEPT_EVERY_S = 30.0


class Taken(NamedTuple):
    """The state of a window.

    Attributes:
        used: what it has counted.
        reset: seconds until it is over.
    """

    used: int
    reset: float


class CommonLimits:
    """Fixed windows by limit and key. A window opens with its key's first request."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._key: bytes | None = None

    @classmethod
    def of(cls, ledger: Ledger) -> Self | None:
        """The common limits of a ledger; None for one that only this server uses."""
        return cls(ledger) if ledger.database.lanes_alone else None

    def tasks(self) -> list[BackgroundTask]:
        """The background task that removes what is over."""
        return [BackgroundTask("limits", self.sweep, SWEPT_EVERY_S, begins_after=SWEPT_EVERY_S)]

    async def take(self, limit: str, key: Hashable, seconds: float, weight: int = 1) -> Taken:
        """Count a request. Returns the state of the window before.

        Args:
            limit: its name.
            key: whom the window is for: texts, numbers and tuples of them.
            seconds: how long a window is.

        Raises:
            StoreUnavailable
        """
        return await self._ledger.write(_take, await self._digest(limit, key), seconds, weight)

    async def state(self, limit: str, key: Hashable, seconds: float) -> Taken:
        """What ``take`` would return, without counting.

        Raises:
            StoreUnavailable
        """
        return await self._ledger.read(_state, await self._digest(limit, key), seconds)

    async def sweep(self) -> None:
        """Remove what is over.

        Raises:
            StoreUnavailable
        """
        await self._ledger.write(_forget)

    async def _digest(self, limit: str, key: Hashable) -> bytes:
        if self._key is None:
            self._key = bytes.fromhex(await self._ledger.write(_common_key, secrets.token_hex(KEY_BYTES)))
        return blake2b(repr((limit, key)).encode(), key=self._key, digest_size=DIGEST_BYTES).digest()


def _take(session: Session, digest: bytes, seconds: float, weight: int) -> Taken:
    return Taken(*session.queries.take_place(session.connection, digest=digest, weight=weight, seconds=seconds))


def _state(session: Session, digest: bytes, seconds: float) -> Taken:
    row = session.queries.places_taken(session.connection, digest=digest)
    return Taken(0, seconds) if row is None else Taken(*row)


def _forget(session: Session) -> None:
    session.queries.forget_windows(session.connection)
    forget_attempts(session)


def _common_key(session: Session, own: str) -> str:
    return str(session.queries.common_secret(session.connection, name=KEY, value=own))
