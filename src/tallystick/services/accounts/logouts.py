"""Logging out, also while the ledger cannot store it."""

import asyncio

from tallystick.errors import StoreBusy, StoreUnavailable
from tallystick.ledger import Ledger, Session
from tallystick.services.accounts.logins import end_login, find_login_session
from tallystick.tasks import BackgroundTask

STORED_WITHIN_S = 1.5
"""A database that hangs must not keep a person waiting who leaves."""

TRIED_EVERY_S = 1.0
"""Until it is stored, other servers accept the login."""

PENDING_AT_MOST = 10_000


class Logouts:
    """Ends login sessions for their browsers.

    What the ledger cannot store now is pending: this server refuses the login from now on, and stores its end once it
    can. It is in memory only, so a restart before that loses it, and other servers do not know of it until then.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._pending: dict[bytes, None] = {}
        self._added = asyncio.Event()

    def tasks(self) -> list[BackgroundTask]:
        """The background task that stores what is pending."""
        return [
            BackgroundTask(
                "logouts", self.store_pending, TRIED_EVERY_S, trigger=self._added, longest_delay=TRIED_EVERY_S
            )
        ]

    def is_pending(self, digest: bytes) -> bool:
        """Whether the browser with the secret of this digest has logged out, and the ledger does not know it yet."""
        return digest in self._pending

    async def end(self, digest: bytes, now: int) -> bool:
        """End the login session with this digest, if there is one. Returns False if that is pending.

        Raises:
            StoreBusy: too many are pending; the login session has not ended.
        """
        try:
            async with asyncio.timeout(STORED_WITHIN_S):
                await self._ledger.write(_end, [digest], now)
        except (StoreUnavailable, TimeoutError) as error:
            if len(self._pending) >= PENDING_AT_MOST:
                raise StoreBusy from error
            self._pending[digest] = None
            self._added.set()
            return False
        return True

    async def store_pending(self) -> None:
        """Store what is pending.

        Raises:
            StoreUnavailable: the ledger cannot be written; all stays pending.
        """
        digests = list(self._pending)
        if not digests:
            return
        await self._ledger.write(_end, digests, self._ledger.clock())
        for digest in digests:
            self._pending.pop(digest, None)


def _end(session: Session, digests: list[bytes], now: int) -> None:
    for digest in digests:
        if found := find_login_session(session, digest, now):
            end_login(session, found.account.id, digest)
