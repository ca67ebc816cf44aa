"""Delays for guesses at one password, from whatever addresses: an account's, or a shared link's."""

import time
from collections.abc import Callable, Hashable
from hashlib import sha256
from typing import NamedTuple

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger, Session
from tallystick.services.common_limits import ATTEMPTS_FORGOTTEN_AFTER_S, CommonLimits

FREE = 10
"""Attempts at one password that are not delayed."""

SPACING_S = 2.0
"""Time between further attempts."""

LONGEST_WAIT_S = 10.0
MOST_PASSWORDS, MOST_TRUSTED = 20_000, 20_000


class Attempts(NamedTuple):
    """Attempts at one password.

    Attributes:
        amount: how many were accepted.
        last: when the last one was made, in seconds.
        turn: when the next one may be checked.
    """

    amount: int
    last: float
    turn: float


class LoginDelays:
    """Counts attempts by password: in memory, or for all servers together where several may use the ledger.

    Attempts from an address where the password's person was let in before are not delayed, so that others cannot lock
    the person out. Names that nobody has are treated like those of accounts.

    Args:
        purpose: what the passwords are for; one name for two purposes means two passwords.
        common: brings the other servers the addresses that were let in; None for a server of its own.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        ledger: Ledger,
        purpose: str,
        common: CommonLimits | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._purpose, self._clock = ledger, purpose, clock
        self._attempts: dict[bytes, Attempts] = {}  # ordered by the time of the last attempt
        self._trusted: dict[Hashable, None] = {}
        self._common = common
        self._share = common.share(f"let in: {purpose}", self._learn) if common else None

    async def wait(self, name: str, address: Hashable) -> float | None:
        """Seconds to wait before checking an attempt; None when too many attempts are waiting.

        While the ledger cannot be written, this server counts for itself.
        """
        password = self._digest(name)
        if self.trusts(name, address):
            return 0.0
        if self._ledger.database.lanes_alone:
            try:
                return await self._ledger.write(_attempt, password)
            except StoreUnavailable:
                pass
        return self._wait(password)

    def trust(self, name: str, address: Hashable) -> None:
        """Record that the right password of this name came from the address."""
        entry = self._entry(name, address)
        self._learn(entry, 1)
        if self._share:
            self._share(entry, 1)

    def trusts(self, name: str, address: Hashable) -> bool:
        """Whether the right password of this name came from the address before."""
        return self._entry(name, address) in self._trusted

    def _entry(self, name: str, address: Hashable) -> Hashable:
        entry = self._digest(name), address
        return self._common.digest(self._purpose, entry) if self._common else entry

    def _learn(self, entry: Hashable, _: int) -> None:
        self._trusted.pop(entry, None)
        self._trusted[entry] = None
        if len(self._trusted) > MOST_TRUSTED:
            del self._trusted[next(iter(self._trusted))]

    def _wait(self, password: bytes) -> float | None:
        self._attempts[password], wait = _attempted(self._attempts.pop(password, None), self._clock())
        if len(self._attempts) > MOST_PASSWORDS:
            del self._attempts[next(iter(self._attempts))]
        return wait

    def _digest(self, name: str) -> bytes:
        """A key of fixed size for a name, however long the submitted text is."""
        return sha256(f"{self._purpose} {name.strip().lower()}".encode("utf-8", "replace")).digest()


def _attempt(session: Session, password: bytes) -> float | None:
    amount, last, turn, now = session.queries.hold_login_attempts(session.connection, digest=password)
    after, wait = _attempted(Attempts(amount, last, turn), now)
    session.queries.set_login_attempts(session.connection, digest=password, **after._asdict())
    return wait


def _attempted(before: Attempts | None, now: float) -> tuple[Attempts, float | None]:
    """The attempts after one more, and the seconds that it has to wait; None if it is refused."""
    if before is None or now - before.last >= ATTEMPTS_FORGOTTEN_AFTER_S:
        before = Attempts(0, now, now)
    delayed = before.amount >= FREE
    turn = max(before.turn, now) if delayed else now
    if turn - now > LONGEST_WAIT_S:
        return Attempts(before.amount, now, before.turn), None
    return Attempts(before.amount + 1, now, turn + SPACING_S * delayed), turn - now
