"""Tokens for shared counters that are managed with a token: of the same account, and with no more permissions."""

from collections.abc import Iterable

from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Session
from tallystick.model.account import Principal, Token
from tallystick.services.accounts.audit import done_by
from tallystick.services.accounts.tokens import (
    OF_COUNTERS,
    NewToken,
    create_token,
    delete_token,
    made_with,
    rotate_token,
    token,
)

MadeToken = tuple[Token, str | None]
"""A token and its new secret; None where it is shown again."""


def create(session: Session, principal: Principal, wanted: NewToken, now: int) -> MadeToken:
    """Make a token with another one; its secret is shown this once.

    Raises:
        SharingRefused: FORBIDDEN.
        InputRefused: see ``create_token``.
    """
    _require_no_more(principal, wanted.permissions)
    return done_by(session, principal, create_token, principal.account, wanted, now, principal.token.id)


def rotate(session: Session, principal: Principal, number: int) -> MadeToken:
    """Give a token another secret, which is shown this once.

    Raises:
        SharingRefused: NOT_FOUND or FORBIDDEN.
    """
    _own(session, principal, number)
    secret = done_by(session, principal, rotate_token, number)
    return _own(session, principal, number), secret


def revoke(session: Session, principal: Principal, number: int) -> None:
    """Remove a token.

    Raises:
        SharingRefused: NOT_FOUND or FORBIDDEN.
    """
    revoked = _own(session, principal, number)
    done_by(session, principal, delete_token, revoked.id, principal.account.id)


def without_secret(made: MadeToken) -> MadeToken:
    """A token as it is recorded: its secret is stored nowhere."""
    return made[0], None


def _own(session: Session, principal: Principal, number: int) -> Token:
    """The principal's own token, or one that was made with it. Others take the dashboard, and so a login.

    Raises:
        SharingRefused: NOT_FOUND or FORBIDDEN.
    """
    managed = token(session, number)
    if managed is None or managed.account != principal.account.id or not managed.permissions & OF_COUNTERS:
        raise SharingRefused(SharingReason.NOT_FOUND, "there is no such token")
    own = {principal.token.id, *(each.id for each in made_with(session, principal.token.id))}
    if number not in own:
        msg = "a token manages itself and those that were made with it; log in to the dashboard for others"
        raise SharingRefused(SharingReason.FORBIDDEN, msg)
    _require_no_more(principal, managed.permissions, managed.sites)
    return managed


def _require_no_more(principal: Principal, permissions: int, sites: Iterable[int] = ()) -> None:
    """Check that a token may do, and reaches, nothing that the principal's does not.

    Raises:
        SharingRefused: FORBIDDEN.
    """
    if permissions & ~principal.token.permissions or not all(map(principal.token.covers, sites)):
        msg = "your token may do less than that one; use another one, or the dashboard"
        raise SharingRefused(SharingReason.FORBIDDEN, msg)
