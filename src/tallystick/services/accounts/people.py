"""Changes that admins make to the people of their account. Functions of ``(session, ...)``; times in ms.

The admin's access is read in the same transaction, so access that was just removed no longer counts.
"""

from collections.abc import Mapping

from tallystick.errors import InputRefused, InvalidFields
from tallystick.ledger import Session
from tallystick.model.account import ALL_SITES, Access, Account
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import (
    NewAccount,
    account,
    account_by_email,
    accounts_of,
    create_account,
    delete_account,
    hold_accounts,
    set_access,
    set_password,
)
from tallystick.services.accounts.audit import is_superuser
from tallystick.services.accounts.site_rows import family
from tallystick.services.accounts.sites import may_create_sites
from tallystick.services.accounts.two_factor import disable
from tallystick.services.sharing.changes import hold_changes


def may_manage(person: Account) -> bool:
    """Whether a person may add and manage people of their account."""
    return person.site is not None and person.access.get(ALL_SITES) in ("a", "*")


def refusal_to_invite(session: Session, actor: int, access: Mapping[str, Access]) -> InputRefused | None:
    """The error if ``actor`` may not add a person with this access, else None. Changes nothing."""
    try:
        _refuse_beyond(require_admin(session, actor), access)
    except InputRefused as refusal:
        return refusal
    return None


def refusal_to_manage(session: Session, actor: int, number: int) -> InputRefused | None:
    """The error if ``actor`` may not manage a person, else None. Changes nothing."""
    try:
        _both(session, actor, number)
    except InputRefused as refusal:
        return refusal
    return None


def invite(session: Session, actor: int, new: NewAccount, now: int) -> Account:
    """Add a person to the account of ``actor``.

    Raises:
        InvalidFields: the email, the name or the access is invalid.
        InputRefused: the actor may not.
    """
    hold_accounts(session)
    admin = require_admin(session, actor)
    _refuse_beyond(admin, new.access or {})
    joining = NewAccount(email=new.email, password=new.password, name=new.name, site=admin.site, access=new.access)
    try:
        return create_account(session, joining, now)
    except InvalidFields as error:
        existing = account_by_email(session, new.email)
        if existing is None or existing.site == admin.site or admin.access.get(ALL_SITES) == "*":
            raise
        # An admin must not learn which emails other accounts of the server have.
        raise InvalidFields(
            {**error.errors, "email": ["cannot be added here; ask the operator of this server"]}
        ) from None


def give_access(session: Session, actor: int, number: int, access: Mapping[str, Access], now: int) -> Account:
    """Replace the access of a person of the account.

    Raises:
        InvalidFields: the access is invalid.
        InputRefused: the actor may not, or a site would be left without an admin.
    """
    hold_accounts(session)
    admin, person = _both(session, actor, number)
    _refuse_beyond(admin, access)
    return set_access(session, person.id, access, now)


def reset_password(  # noqa: PLR0913, PLR0917  # who decides about whom, and what
    session: Session,
    actor: int,
    number: int,
    password: str,
    now: int,
    revoke_tokens: bool = False,  # noqa: FBT001, FBT002
) -> Account:
    """Replace the password of a person of the account, turn the second step off, and end their login sessions.

    Args:
        password: the digest.
        revoke_tokens: also revoke the person's API tokens.

    Raises:
        InputRefused: the actor may not.
    """
    hold_accounts(session)
    _, person = _both(session, actor, number)
    set_password(session, person.id, password, now, revoke_tokens=revoke_tokens)
    disable(session, person.id, now)
    return person


def grant_sites(session: Session, actor: int, number: int, now: int) -> Account:
    """Allow a person without a site to add sites: they become the admin of an account of their own.

    Raises:
        InputRefused: the actor is not a superuser, or the person belongs to an account already.
    """
    hold_accounts(session)
    admin, person = account(session, actor), account(session, number)
    if admin is None or not is_superuser(admin):
        msg = "only superusers can allow people to add sites"
        raise InputRefused(msg)
    if person is None or person.site is not None:
        msg = "there is no such person without a site"
        raise InputRefused(msg)
    if may_create_sites(person):  # a second press; and superusers, who would lose their other rights
        return person
    return set_access(session, person.id, {ALL_SITES: "a"}, now)


def remove(session: Session, actor: int, number: int, now: int) -> None:
    """Delete a person of the account, with their tokens.

    Raises:
        InputRefused: the actor may not, or a site would be left without an admin.
    """
    hold_changes(session)  # see delete_account
    hold_accounts(session)
    _, person = _both(session, actor, number)
    delete_account(session, person.id, now)


def people_and_sites(session: Session, person: Account) -> tuple[list[Account], list[Site]]:
    """The accounts that share a person's sites, and these sites; without a site only the person."""
    if person.site is None:
        return [person], []
    return accounts_of(session, person.site), family(session, person.site)


def require_admin(session: Session, actor: int) -> Account:
    """The account of who may manage people.

    Raises:
        InputRefused: they may not.
    """
    admin = account(session, actor)
    if admin is None or not may_manage(admin):
        msg = "only admins of all sites can manage people"
        raise InputRefused(msg)
    return admin


def _both(session: Session, actor: int, number: int) -> tuple[Account, Account]:
    admin, person = require_admin(session, actor), account(session, number)
    if person is None or person.site != admin.site:
        msg = "there is no such person"
        raise InputRefused(msg)
    if person.id == admin.id:
        msg = "you cannot change your own access here"
        raise InputRefused(msg)
    _refuse_beyond(admin, person.access)
    return admin, person


def _refuse_beyond(admin: Account, access: Mapping[str, Access]) -> None:
    """Refuse to give or manage more access than the admin has."""
    if "*" in access.values() and admin.access.get(ALL_SITES) != "*":
        msg = "only superusers can manage superusers"
        raise InputRefused(msg)
