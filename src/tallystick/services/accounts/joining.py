"""Accounts of people who come by an invite to a shared counter, or without an invite."""

from tallystick.errors import InputRefused
from tallystick.ledger import Session
from tallystick.model.account import Account
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.accounts.accounts import NewAccount, count_accounts, create_account, hold_accounts
from tallystick.services.sharing.changes import hold_changes
from tallystick.services.sharing.invites import accept, preview


def join_by_invite(session: Session, code: str, new: NewAccount, now: int) -> tuple[Account, SharedCounter]:
    """Create an account and accept an invite with it, or neither. For ``Sharing.write``.

    Raises:
        SharingRefused: the invite cannot be accepted.
        InputRefused: the account cannot be created.
    """
    hold_changes(session)
    preview(session, code, now)
    account = create_account(session, new, now)
    return account, accept(session, account.id, code, now)


def join_without_invite(session: Session, new: NewAccount, now: int) -> Account:
    """Create an account that may have counters; a superuser may let it add sites.

    Raises:
        InputRefused: the account cannot be created, or the server has none yet: its first one may do everything.
    """
    hold_accounts(session)
    if not count_accounts(session):
        msg = "this server is not set up yet"
        raise InputRefused(msg)
    return create_account(session, new, now)
