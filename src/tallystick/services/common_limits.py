"""Limits that hold over all servers of a ledger, in PostgreSQL.

There are two ways. What guesses at passwords and lasting things depend on is rare, so each request that is judged is a
statement (``take``), and no server admits one too many. All others are judged by each server in memory, which reports
what it has admitted every ``REPORTED_EVERY_S`` and learns what the others have (``share``): no request waits for the
database, and all servers together may admit more by what they admit in that time.

Addresses are not stored: each is in a digest, keyed with a random value that the servers have in common, and removed
with its window or, from reports, within seconds.
"""

import secrets
import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple, Self

import msgspec

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger, Session
from tallystick.tasks import BackgroundTask

KEY, KEY_BYTES = "limits", 32
"""The name of the key of digests among the secrets that the servers have in common."""
DIGEST_BYTES = 16
SERVER_BYTES = 8

REPORTED_EVERY_S = 0.25
REPORTS_LAST_S = 5.0
"""A report that no connection to the database could bring within this time is not learned any more."""
USES_PENDING = 100_000
"""Windows in which requests were admitted since the last report; of more, the others do not learn."""
SWEPT_EVERY_S = 30.0

ATTEMPTS_FORGOTTEN_AFTER_S = 900.0
"""After this time without attempts a password has all its free ones again (``login_delays``)."""

Use = tuple[str, int | str | None, int]
"""The name of a limit, the key of a window, and what was admitted there."""

Learn = Callable[[Hashable, int], None]
"""Takes what other servers have admitted from a window, by its key."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Use]).decode


class Taken(NamedTuple):
    """The state of a window.

    Attributes:
        used: what it has counted.
        reset: seconds until it is over.
    """

    used: int
    reset: float


class CommonLimits:
    """Counts requests together with the other servers of a ledger. ``begin`` comes first."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._key = b""
        self._server = secrets.token_hex(SERVER_BYTES)
        self._learn: dict[str, Learn] = {}
        self._uses: dict[tuple[str, Hashable], int] = {}
        self._lock = Lock()
        self._seen: dict[int, float] = {}  # numbers of reports, and when they were read

    @classmethod
    def of(cls, ledger: Ledger) -> Self | None:
        """The common limits of a ledger; None for one that only this server uses."""
        return cls(ledger) if ledger.database.lanes_alone else None

    async def begin(self) -> None:
        """Read what the servers have in common.

        Raises:
            StoreUnavailable
        """
        self._key = bytes.fromhex(await self._ledger.write(_common_key, secrets.token_hex(KEY_BYTES)))

    def tasks(self) -> list[BackgroundTask]:
        """The background tasks: reports, and what removes them and windows that are over."""
        every = REPORTED_EVERY_S
        return [
            BackgroundTask("limits", self.exchange, every, longest_delay=SWEPT_EVERY_S),
            BackgroundTask("old-limits", self.sweep, SWEPT_EVERY_S, begins_after=SWEPT_EVERY_S),
        ]

    async def take(self, limit: str, key: Hashable, seconds: float, weight: int = 1) -> Taken:
        """Count a request in a fixed window, which opens with its key's first one. Returns the state before.

        Args:
            limit: its name.
            key: whom the window is for: texts, numbers and tuples of them.
            seconds: how long a window is.

        Raises:
            StoreUnavailable
        """
        return await self._ledger.write(_take, self._digest(limit, key), seconds, weight)

    async def state(self, limit: str, key: Hashable, seconds: float) -> Taken:
        """What ``take`` would return, without counting.

        Raises:
            StoreUnavailable
        """
        return await self._ledger.read(_state, self._digest(limit, key), seconds)

    def share(self, limit: str, learn: Learn) -> Learn:
        """Exchange what is admitted by a limit with the other servers.

        Args:
            limit: its name, of one object alone.
            learn: called on the event loop with what another server has admitted.

        Returns:
            A function to call with what this server has admitted, from any thread; keys are numbers, texts or None.
        """
        self._learn[limit] = learn
        return partial(self._note, limit)

    def digest(self, limit: str, key: Hashable) -> str:
        """The key of a window as other servers may know it, in place of one with an address."""
        return self._digest(limit, key).hex()

    async def exchange(self) -> None:
        """Report what this server has admitted since the last call, and learn what the others have.

        Raises:
            StoreUnavailable: what was not reported will be.
        """
        if uses := self._unreported():
            try:
                await self._ledger.write(_report, self._server, uses)
            except StoreUnavailable:
                for limit, key, weight in uses:
                    self._note(limit, key, weight)
                raise
        now = time.monotonic()
        self._seen = {number: at for number, at in self._seen.items() if now - at < 2 * REPORTS_LAST_S}
        for number, encoded in await self._ledger.read(_reports, self._server, list(self._seen)):
            self._seen[number] = now
            for limit, key, weight in _decode(encoded):
                if learn := self._learn.get(limit):
                    learn(key, weight)

    async def sweep(self) -> None:
        """Remove what is over.

        Raises:
            StoreUnavailable
        """
        await self._ledger.write(_forget)

    def _note(self, limit: str, key: Hashable, weight: int) -> None:
        with self._lock:
            use = limit, key
            if use in self._uses or len(self._uses) < USES_PENDING:
                self._uses[use] = self._uses.get(use, 0) + weight

    def _unreported(self) -> list[Use]:
        with self._lock:
            uses, self._uses = self._uses, {}
        return [(limit, key, weight) for (limit, key), weight in uses.items()]  # type: ignore[misc]  # see share

    def _digest(self, limit: str, key: Hashable) -> bytes:
        return blake2b(repr((limit, key)).encode(), key=self._key, digest_size=DIGEST_BYTES).digest()


def _take(session: Session, digest: bytes, seconds: float, weight: int) -> Taken:
    return Taken(*session.queries.take_place(session.connection, digest=digest, weight=weight, seconds=seconds))


def _state(session: Session, digest: bytes, seconds: float) -> Taken:
    row = session.queries.places_taken(session.connection, digest=digest)
    return Taken(0, seconds) if row is None else Taken(*row)


def _report(session: Session, server: str, uses: Sequence[Use]) -> None:
    session.queries.add_limit_report(session.connection, server=server, uses=_encode(uses).decode())


def _reports(session: Session, server: str, seen: Sequence[int]) -> list[tuple[int, str]]:
    rows = session.queries.limit_reports(
        session.connection, server=server, seen=_encode(seen).decode(), seconds=REPORTS_LAST_S
    )
    return list(rows)


def _forget(session: Session) -> None:
    session.queries.forget_windows(session.connection)
    session.queries.forget_limit_reports(session.connection, seconds=2 * REPORTS_LAST_S)
    session.queries.forget_login_attempts(session.connection, seconds=ATTEMPTS_FORGOTTEN_AFTER_S)


def _common_key(session: Session, own: str) -> str:
    return str(session.queries.common_secret(session.connection, name=KEY, value=own))
