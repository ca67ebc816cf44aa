"""Login sessions of browsers. Functions of ``(session, ...)``; times in ms.

A browser has a random secret; the ledger stores its digest, and nothing about the browser.
"""

import secrets
from hashlib import sha256

from msgspec import Struct

from tallystick.ledger import Session
from tallystick.model.account import Account
from tallystick.services.accounts.accounts import (
    LOGINS,
    account,
    account_by_email,
    end_logins,
    existing,
    note_login,
)
from tallystick.services.accounts.audit import EventKind, note, note_refusal

DAY_MS = 86_400_000
IDLE_MS = 30 * DAY_MS
LONGEST_MS = 180 * DAY_MS
"""A login session ends after ``IDLE_MS`` without use, and ``LONGEST_MS`` after its beginning."""

PROVED_FOR_MS = 600_000
"""How long a given password counts as recent."""

NOTED_EVERY_MS = 3_600_000
LOGINS_AT_MOST = 50
"""Login sessions of one account; beyond that the least recently used ones end."""


class Login(Struct, frozen=True):
    """A stored login of one browser.

    Attributes:
        digest: of the browser's secret.
        account: the id of the logged-in account.
        seen: when it was last used, to the hour.
        proved: when the password was last given in this browser.
    """

    digest: bytes
    account: int
    created: int
    seen: int
    proved: int

    @property
    def name(self) -> str:
        """The name by which a form refers to this login."""
        return self.digest.hex()


class LoginSession(Struct, frozen=True):
    """A valid login and its account: the principal of requests for pages, as a token's ``Principal`` is of the APIs."""

    login: Login
    account: Account


def new_secret() -> str:
    """A secret for a browser's cookie: 256 random bits."""
    return secrets.token_urlsafe(32)


def secret_digest(secret: str) -> bytes:
    """The digest that is stored of a secret. A fast digest is enough, because the secret is long and random."""
    return sha256(secret.encode("utf-8", "replace")).digest()


def begin_login(session: Session, number: int, digest: bytes, now: int) -> None:
    """Start a login session of an account, for the browser with the secret of this digest."""
    common, connection = session.common, session.connection
    common.forget_logins(connection, begun_before=now - LONGEST_MS, seen_before=now - IDLE_MS)
    common.add_login(connection, digest=digest, account=number, created=now)
    common.forget_oldest_logins(connection, account=number, kept=LOGINS_AT_MOST)
    session.changed.add(LOGINS)
    note_login(session, number, now)
    note(session, EventKind.LOGGED_IN, now, existing(session, number).email)


def replace_login(session: Session, number: int, digest: bytes, previous: Login | None, now: int) -> None:
    """Start a login session, and end the browser's previous one."""
    if previous:
        end_login(session, previous.account, previous.digest)
    begin_login(session, number, digest, now)


def note_refused_login(session: Session, email: str, now: int) -> None:
    """Add a refused login to the audit log."""
    person = account_by_email(session, email)
    note_refusal(session, EventKind.LOGIN_REFUSED, now, person.email if person else "")


def find_login_session(session: Session, digest: bytes, now: int) -> LoginSession | None:
    """The login session with this digest; None if there is none or it has ended."""
    row = session.common.login_by_digest(
        session.connection, digest=digest, begun_after=now - LONGEST_MS, seen_after=now - IDLE_MS
    )
    if row is None or (person := account(session, row[1])) is None:
        return None
    return LoginSession(Login(*row), person)


def note_seen(session: Session, digest: bytes, now: int) -> None:
    """Record the use of a login session; call it at most every ``NOTED_EVERY_MS``."""
    session.common.note_seen(session.connection, digest=digest, now=now)


def note_proved(session: Session, digest: bytes, now: int) -> None:
    """Record that the password was given again in a login session."""
    session.common.note_proved(session.connection, digest=digest, now=now)


def logins_of(session: Session, number: int, now: int) -> list[Login]:
    """The login sessions of an account, the most recently used first."""
    rows = session.common.logins_of(
        session.connection, account=number, begun_after=now - LONGEST_MS, seen_after=now - IDLE_MS
    )
    return [Login(*row) for row in rows]


def end_login(session: Session, number: int, digest: bytes) -> None:
    """End one login session of an account, if there is such one."""
    session.common.end_login(session.connection, account=number, digest=digest)
    session.changed.add(LOGINS)


def end_login_on_request(session: Session, number: int, digest: bytes, now: int) -> None:
    """End one login session of an account, if there is such one, and add that to the audit log."""
    if any(login.digest == digest for login in logins_of(session, number, now)):
        end_login(session, number, digest)
        note(session, EventKind.LOGINS_ENDED, now, existing(session, number).email, "one")


def end_other_logins_on_request(session: Session, number: int, kept: bytes, now: int) -> None:
    """End the other login sessions of an account, if there are any, and add that to the audit log."""
    if any(login.digest != kept for login in logins_of(session, number, now)):
        end_logins(session, number, kept)
        note(session, EventKind.LOGINS_ENDED, now, existing(session, number).email, "all others")
