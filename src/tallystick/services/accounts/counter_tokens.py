"""Manages tokens for shared counters with a token of the same account, within that token's permissions."""

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
"""A token and its new secret; None in a repeated response, because the secret is not stored."""


def create(session: Session, principal: Principal, new: NewToken, now: int) -> MadeToken:
    """Create a token with the principal's token.

    Raises:
        SharingRefused: FORBIDDEN.
        InputRefused: see ``create_token``.
    """
    _require_no_more(principal, new.permissions)
    return done_by(session, principal, create_token, principal.account, new, now, principal.token.id)


def rotate(session: Session, principal: Principal, number: int) -> MadeToken:
    """Replace a token's secret.

    Raises:
        SharingRefused: NOT_FOUND or FORBIDDEN.
    """
    _own(session, principal, number)
    secret = done_by(session, principal, rotate_token, number)
    return _own(session, principal, number), secret


def revoke(session: Session, principal: Principal, number: int) -> None:
    """Revoke a token.

    Raises:
        SharingRefused: NOT_FOUND or FORBIDDEN.
    """
    revoked = _own(session, principal, number)
    done_by(session, principal, delete_token, revoked.id, principal.account.id)


def without_secret(made: MadeToken) -> MadeToken:
    """The result for the idempotency record, which must not have the secret."""
    return made[0], None


def _own(session: Session, principal: Principal, number: int) -> Token:
    """The principal's own token, or one created with it. Others can only be managed in the dashboard.

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
    """Check that permissions and sites are within those of the principal's token.

    Raises:
        SharingRefused: FORBIDDEN.
    """
    if permissions & ~principal.token.permissions or not all(map(principal.token.covers, sites)):
        msg = "your token may do less than that one; use another one, or the dashboard"
        raise SharingRefused(SharingReason.FORBIDDEN, msg)
