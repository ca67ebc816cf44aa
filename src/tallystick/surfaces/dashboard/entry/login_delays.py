"""Slows down guesses at one account's password, whatever addresses they come from."""

import time
from collections.abc import Callable, Hashable
from hashlib import sha256
from typing import NamedTuple

FREE = 10
"""Attempts on one account that nothing slows down."""

SPACING_S = 2.0
"""Beyond them one attempt is taken in so many seconds."""

LONGEST_WAIT_S = 10.0
FORGOTTEN_AFTER_S = 900.0
"""An account without attempts for so long has all of its free ones again."""

MOST_ACCOUNTS, MOST_TRUSTED = 20_000, 20_000


class _Attempts(NamedTuple):
    """Attempts on one account: how many, when the last one was made and when the next one's turn is."""

    amount: int
    last: float
    turn: float


class Guesses:
    """Attempts on accounts, in memory.

    An address from which a person has logged in is not slowed down: others cannot lock the person out. Unknown emails
    are treated like those of accounts.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._attempts: dict[bytes, _Attempts] = {}  # the one without attempts for longest first
        self._trusted: dict[tuple[bytes, Hashable], None] = {}

    def wait(self, email: str, address: Hashable) -> float | None:
        """Seconds to wait before an attempt is taken; None when too many wait already."""
        account, now = _account(email), self._clock()
        if (account, address) in self._trusted:
            return 0.0
        before = self._attempts.pop(account, None)
        if before is None or now - before.last >= FORGOTTEN_AFTER_S:
            before = _Attempts(0, now, now)
        turn = max(before.turn, now) if before.amount >= FREE else now
        refused = turn - now > LONGEST_WAIT_S
        following = before.turn if refused else turn + SPACING_S * (before.amount >= FREE)
        self._attempts[account] = _Attempts(before.amount + (not refused), now, following)
        if len(self._attempts) > MOST_ACCOUNTS:
            del self._attempts[next(iter(self._attempts))]
        return None if refused else turn - now

    def trust(self, email: str, address: Hashable) -> None:
        """Someone has logged in to the account from the address."""
        place = (_account(email), address)
        self._trusted.pop(place, None)
        self._trusted[place] = None
        if len(self._trusted) > MOST_TRUSTED:
            del self._trusted[next(iter(self._trusted))]

    def trusts(self, email: str, address: Hashable) -> bool:
        """Whether someone has logged in to the account from the address."""
        return (_account(email), address) in self._trusted


def _account(email: str) -> bytes:
    """Of one size, however long the text is that a form sends."""
    return sha256(email.strip().lower().encode("utf-8", "replace")).digest()
