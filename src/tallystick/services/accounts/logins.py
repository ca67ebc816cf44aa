"""Login sessions: who is logged in in which browser. Functions of ``(session, ...)``; times in ms.

A browser holds a random secret; the ledger holds its digest, and nothing about the browser.
"""

import secrets
from hashlib import sha256

from msgspec import Struct

from tallystick.ledger import Session
from tallystick.model.account import Account
from tallystick.services.accounts.accounts import account, existing, note_login
from tallystick.services.accounts.audit import EventKind, note

DAY_MS = 86_400_000
IDLE_MS = 30 * DAY_MS
LONGEST_MS = 180 * DAY_MS
"""When a login session is over: unused for so long, or so long after it began."""

PROVED_FOR_MS = 600_000
"""How long a password that was given counts for what takes a recent one."""

NOTED_EVERY_MS = 3_600_000
LOGINS_AT_MOST = 50
"""Of one account; the ones unused for longest end first."""


class Login(Struct, frozen=True):
    """One browser in which someone is logged in.

    Attributes:
        digest: of the secret in the browser.
        seen: when it was last used, to the hour.
        proved: when the password was last given there.
    """

    digest: bytes
    account: int
    created: int
    seen: int
    proved: int

    @property
    def name(self) -> str:
        """What the person calls it by to end it."""
        return self.digest.hex()


class LoginSession(Struct, frozen=True):
    """A login session and its person."""

    login: Login
    account: Account


def new_secret() -> str:
    """What a browser will show: 256 random bits."""
    return secrets.token_urlsafe(32)


def secret_digest(secret: str) -> bytes:
    """What is kept of a secret. It is random and long, so a fast digest is as good as a slow one."""
    return sha256(secret.encode("utf-8", "replace")).digest()


def begin_login(session: Session, number: int, digest: bytes, now: int) -> None:
    """Log an account in, in the browser that has the digest's secret."""
    common, connection = session.common, session.connection
    common.forget_logins(connection, begun_before=now - LONGEST_MS, seen_before=now - IDLE_MS)
    common.add_login(connection, digest=digest, account=number, created=now)
    common.forget_oldest_logins(connection, account=number, kept=LOGINS_AT_MOST)
    note_login(session, number, now)
    note(session, EventKind.LOGGED_IN, now, existing(session, number).email)


def find_login_session(session: Session, digest: bytes, now: int) -> LoginSession | None:
    """Who is logged in in the browser that has the digest's secret; None for nobody, or no longer."""
    row = session.common.login_by_digest(
        session.connection, digest=digest, begun_after=now - LONGEST_MS, seen_after=now - IDLE_MS
    )
    if row is None or (person := account(session, row[1])) is None:
        return None
    return LoginSession(Login(*row), person)


def note_seen(session: Session, digest: bytes, now: int) -> None:
    """Remember that a login session is in use; worth a write when ``NOTED_EVERY_MS`` have passed."""
    session.common.note_seen(session.connection, digest=digest, now=now)


def note_proved(session: Session, digest: bytes, now: int) -> None:
    """Remember that the person has given the password in a login session once more."""
    session.common.note_proved(session.connection, digest=digest, now=now)


def logins_of(session: Session, number: int, now: int) -> list[Login]:
    """Where an account is logged in, the last used browser first."""
    rows = session.common.logins_of(
        session.connection, account=number, begun_after=now - LONGEST_MS, seen_after=now - IDLE_MS
    )
    return [Login(*row) for row in rows]


def end_login(session: Session, number: int, digest: bytes) -> None:
    """End one login session of an account; nothing happens when there is no such one."""
    session.common.end_login(session.connection, account=number, digest=digest)


def end_other_logins(session: Session, number: int, kept: bytes) -> None:
    """End the login sessions of an account, but for one."""
    session.common.end_logins(session.connection, account=number, kept=kept)
