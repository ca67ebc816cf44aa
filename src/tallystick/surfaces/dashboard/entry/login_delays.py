"""Delays for guesses at one account's password, from whatever addresses."""

import time
from collections.abc import Callable, Hashable
from hashlib import sha256
from typing import NamedTuple

FREE = 10
"""Attempts on one account that are not delayed."""

SPACING_S = 2.0
"""Time between further attempts."""

LONGEST_WAIT_S = 10.0
FORGOTTEN_AFTER_S = 900.0
"""After this time without attempts an account has all its free ones again."""

MOST_ACCOUNTS, MOST_TRUSTED = 20_000, 20_000


class _Attempts(NamedTuple):
    """Attempts on one account.

    Attributes:
        amount: how many were accepted.
        last: when the last one was made.
        turn: when the next one may be checked.
    """

    amount: int
    last: float
    turn: float


class LoginDelays:
    """Counts login attempts by account, in memory.

    Attempts from an address where the account's person has logged in before are not delayed, so that others cannot
    lock the person out. Unknown emails are treated like those of accounts.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._attempts: dict[bytes, _Attempts] = {}  # ordered by the time of the last attempt
        self._trusted: dict[tuple[bytes, Hashable], None] = {}

    def wait(self, email: str, address: Hashable) -> float | None:
        """Seconds to wait before checking an attempt; None when too many attempts are waiting."""
        account, now = _account(email), self._clock()
        if (account, address) in self._trusted:
            return 0.0
        attempts = self._attempts.pop(account, None)
        if attempts is None or now - attempts.last >= FORGOTTEN_AFTER_S:
            attempts = _Attempts(0, now, now)
        turn = max(attempts.turn, now) if attempts.amount >= FREE else now
        refused = turn - now > LONGEST_WAIT_S
        next_turn = attempts.turn if refused else turn + SPACING_S * (attempts.amount >= FREE)
        self._attempts[account] = _Attempts(attempts.amount + (not refused), now, next_turn)
        if len(self._attempts) > MOST_ACCOUNTS:
            del self._attempts[next(iter(self._attempts))]
        return None if refused else turn - now

    def trust(self, email: str, address: Hashable) -> None:
        """Record a login to the account from the address."""
        entry = (_account(email), address)
        self._trusted.pop(entry, None)
        self._trusted[entry] = None
        if len(self._trusted) > MOST_TRUSTED:
            del self._trusted[next(iter(self._trusted))]

    def trusts(self, email: str, address: Hashable) -> bool:
        """Whether the account was logged in to from the address before."""
        return (_account(email), address) in self._trusted


def _account(email: str) -> bytes:
    """A key of fixed size for an email, however long the submitted text is."""
    return sha256(email.strip().lower().encode("utf-8", "replace")).digest()
