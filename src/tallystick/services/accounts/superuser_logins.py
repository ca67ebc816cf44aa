"""Login sessions of superusers, who see the state of the server while the ledger is down and nobody can log in."""

import asyncio
from collections import OrderedDict

from msgspec import Struct

from tallystick.ledger import Ledger, Session
from tallystick.services.accounts.accounts import CHANGES, LOGINS
from tallystick.services.accounts.audit import is_superuser
from tallystick.services.accounts.logins import LONGEST_MS, LoginSession, find_login_session
from tallystick.tasks import BackgroundTask

REMEMBERED, REMEMBERED_MS = 100, 12 * 3_600_000
"""Login sessions, and how long each is valid here after the last page that its browser loaded."""

READ_EVERY_S = 60.0
"""Other servers and the command line end login sessions, too, and this server is not notified."""


class RememberedLogin(Struct, frozen=True):
    """A login session of a superuser.

    Attributes:
        used: when its browser loaded a page, in Unix ms.
        change: the changes of accounts that the ledger was read after.
    """

    session: LoginSession
    used: int
    change: int


class SuperuserLogins:
    """Remembers login sessions of superusers, for the time that the ledger cannot be read.

    Whatever ends a login session or changes an account makes all of them invalid until the ledger was read again, which
    the background task does at once.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._logins: OrderedDict[bytes, RememberedLogin] = OrderedDict()  # by digest, the most recently used last
        self._doubted = asyncio.Event()
        self.change = 0
        """Changes of accounts and login sessions by this server so far."""
        ledger.subscribe(CHANGES, self._doubt)
        ledger.subscribe(LOGINS, self._doubt)

    def tasks(self) -> list[BackgroundTask]:
        """The background task that reads the remembered login sessions again."""
        return [BackgroundTask("superuser-logins", self.read_again, READ_EVERY_S, trigger=self._doubted)]

    def remember(self, digest: bytes, session: LoginSession | None, change: int, now: int) -> None:
        """Remember what was read of a browser's login session, or forget it if it is none of a superuser.

        Args:
            change: ``self.change`` before the ledger was read.
        """
        self._logins.pop(digest, None)
        if session is None or not is_superuser(session.account):
            return
        if len(self._logins) >= REMEMBERED:
            self._logins.popitem(last=False)
        self._logins[digest] = RememberedLogin(session, now, change)

    def valid(self, digest: bytes, now: int) -> LoginSession | None:
        """A login session that was valid when the ledger was last read; None for any other."""
        login = self._logins.get(digest)
        if login is None or login.change != self.change:
            return None
        too_old = now - login.used > REMEMBERED_MS or now - login.session.login.created >= LONGEST_MS
        return None if too_old else login.session

    async def read_again(self) -> None:
        """Forget what has ended, and whose account is no superuser's any more.

        Raises:
            StoreUnavailable: the ledger cannot be read; nothing is forgotten.
        """
        change, before = self.change, dict(self._logins)
        if not before:
            return
        found = await self._ledger.read(_find_all, list(before), self._ledger.clock())
        for digest, session in found.items():
            # A page that was loaded meanwhile has read the ledger later.
            if self._logins.get(digest) is not before[digest]:
                continue
            if session is None or not is_superuser(session.account):
                del self._logins[digest]
            else:
                self._logins[digest] = RememberedLogin(session, before[digest].used, change)

    def _doubt(self) -> None:
        self.change += 1
        self._doubted.set()


def _find_all(session: Session, digests: list[bytes], now: int) -> dict[bytes, LoginSession | None]:
    return {digest: find_login_session(session, digest, now) for digest in digests}
