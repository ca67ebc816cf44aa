"""Accounts of people: creation, changes, access and deletion. Functions of ``(session, ...)``; times in ms."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, get_args
from uuid import uuid4

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import InputRefused, InvalidFields
from tallystick.ledger import Session
from tallystick.model.account import ALL_SITES, Access, Account, UserSettings
from tallystick.model.email import email_problems
from tallystick.model.line import line_problems
from tallystick.model.site import Site
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.accounts.site_rows import family, site
from tallystick.services.annotating import hold_kept
from tallystick.services.sharing.changes import hold_changes
from tallystick.services.sharing.people import forget_person

ACCOUNTS_AT_MOST = 10_000
NAME_AT_MOST = 200
ACCESS_WORDS: Mapping[Access, str] = MappingProxyType(
    {"r": "read", "s": "read and settings", "a": "admin", "*": "superuser"}
)
CHANGES = "change of accounts"
LOGINS = "end of login sessions"
"""The subject of ``Ledger.subscribe`` for login sessions that have ended."""
"""The sequence that numbers changes of accounts, sites and tokens, and the topic to which their caches subscribe."""

_encode = msgspec.json.Encoder().encode
_decode_access = msgspec.json.Decoder(dict[str, Access]).decode
_decode_settings = msgspec.json.Decoder(UserSettings).decode


class NewAccount(Struct, frozen=True, kw_only=True):
    """A person for whom an account is created.

    Attributes:
        password: the digest (``passwords.hash_password``).
        site: a site of the account to join; None for a person with sites of their own.
        access: letters by site id or ``all``. By default the server's first person may do everything, a person who
            joins an account may read, and others have no access yet.
    """

    email: str
    password: str
    name: str = ""
    site: int | None = None
    access: Mapping[str, Access] | None = None


class PasswordRecord(Struct, frozen=True):
    """An account, and the digest of its password."""

    account: Account
    password: str


def hold_accounts(session: Session) -> None:
    """Lock accounts, sites and tokens until the transaction ends; caches are invalidated after it.

    Every function that changes one of them calls this first: the rules read several rows, and on PostgreSQL other
    servers and commands write at the same time.
    """
    session.take_numbers(CHANGES)
    session.changed.add(CHANGES)


def last_change(session: Session) -> int:
    """The number of the last change of accounts, sites or tokens."""
    return int(session.common.last_number(session.connection, name=CHANGES))


def create_account(session: Session, new: NewAccount, now: int) -> Account:
    """Create an account.

    Raises:
        InvalidFields: the email, the name or the site is invalid or taken.
        InputRefused: there are too many accounts.
    """
    hold_accounts(session)
    email = normal_email(new.email)
    root = None if new.site is None else _root(session, new.site)
    access = _first_access(session, root) if new.access is None else dict(new.access)
    _check(session, email, new.name, root, access)
    number = session.take_numbers("account")
    session.common.add_account(
        session.connection,
        id=number,
        uid=str(uuid4()),
        email=email,
        name=new.name.strip(),
        site=root,
        password=new.password,
        access=_encode(access).decode(),
        settings=_encode(UserSettings()).decode(),
        created=now,
    )
    note(session, EventKind.ACCOUNT_CREATED, now, email, access_text(access))
    return existing(session, number)


def normal_email(email: str) -> str:
    """An email as it is stored and compared."""
    return email.strip().lower()


def account(session: Session, number: int) -> Account | None:
    """The account with this id, or None."""
    row = session.common.account_by_id(session.connection, id=number)
    return None if row is None else _from_row(row)


def credentials(session: Session, email: str) -> PasswordRecord | None:
    """The account with this email and the digest of its password, or None."""
    if email_problems(email := normal_email(email)):
        return None
    row = session.common.account_by_email(session.connection, email=email)
    return None if row is None else PasswordRecord(_from_row(row[:-1]), row[-1])


def account_by_email(session: Session, email: str) -> Account | None:
    """The account with this email in any case, or None."""
    record = credentials(session, email)
    return None if record is None else record.account


def all_accounts(session: Session) -> list[Account]:
    """All accounts of this server, by email."""
    return [_from_row(row) for row in session.common.all_accounts(session.connection)]


def accounts_of(session: Session, root: int) -> list[Account]:
    """The people of the account whose first site is ``root``, by email."""
    return [_from_row(row) for row in session.common.accounts_of_site(session.connection, site=root)]


def count_accounts(session: Session) -> int:
    """The number of accounts; 0 on a server that is not set up."""
    return int(session.common.count_accounts(session.connection))


def may_see(person: Account, site: Site) -> bool:
    """Whether a person may see a site's statistics: one of their account, or as a superuser if the site allows it."""
    if person.site == site.root:
        return person.may("r", site.id)
    return site.settings.allow_bosmang and person.may("*", site.id)


def may_change(person: Account, needed: Access, site: Site) -> bool:
    """Whether a person has at least this access to a site of their account."""
    return person.site == site.root and person.may(needed, site.id)


def change_account(session: Session, number: int, name: str, settings: UserSettings, now: int) -> Account:
    """Change a person's own name and display settings.

    Raises:
        InvalidFields: the name is invalid.
        InputRefused: there is no such account.
    """
    if problems := line_problems(name, NAME_AT_MOST):
        raise InvalidFields({"name": problems})
    hold_accounts(session)
    existing(session, number)
    encoded = _encode(settings).decode()
    session.common.change_account(session.connection, id=number, name=name.strip(), settings=encoded, updated=now)
    return existing(session, number)


def change_preferences(session: Session, number: int, changes: Mapping[str, object], now: int) -> Account:
    """Change some of a person's display settings; the others stay as they are.

    Args:
        changes: values by the names of ``UserSettings``.

    Raises:
        InputRefused: there is no such account.
    """
    hold_accounts(session)
    before = existing(session, number)
    return change_account(session, number, before.name, replace(before.settings, **changes), now)


def set_password(  # noqa: PLR0913, PLR0917  # whose, what, when and what else ends
    session: Session,
    number: int,
    digest: str,
    now: int,
    kept_login: bytes = b"",
    revoke_tokens: bool = False,  # noqa: FBT001, FBT002
) -> None:
    """Replace a password and end the person's other login sessions.

    Args:
        digest: of the password (``passwords.hash_password``).
        kept_login: digest of the login session to keep.
        revoke_tokens: also revoke the person's API tokens.

    Raises:
        InputRefused: there is no such account.
    """
    session.common.set_password(session.connection, id=number, password=digest, updated=now)
    end_logins(session, number, kept_login)
    person = existing(session, number)
    if revoke_tokens:
        hold_accounts(session)
        session.common.delete_tokens(session.connection, account=number)
    note(session, EventKind.PASSWORD_CHANGED, now, person.email, "all tokens revoked" if revoke_tokens else "")


def end_logins(session: Session, number: int, kept: bytes = b"") -> None:
    """End the login sessions of an account, except the one with the digest ``kept``."""
    session.common.end_logins(session.connection, account=number, kept=kept)
    session.changed.add(LOGINS)


def renew_password(session: Session, number: int, known: str, digest: str) -> None:
    """Replace the digest of an unchanged password; login sessions stay.

    Args:
        known: the digest to replace. If the stored one differs, the password was changed meanwhile and nothing is done.
    """
    session.common.renew_password(session.connection, id=number, known=known, password=digest)


def note_login(session: Session, number: int, now: int) -> None:
    """Record the time of a person's last login."""
    session.common.note_login(session.connection, id=number, now=now)


def set_access(session: Session, number: int, access: Mapping[str, Access], now: int) -> Account:
    """Replace a person's access.

    Raises:
        InvalidFields: a site or a letter is unknown.
        InputRefused: a site would be left without an admin, or there is no such account.
    """
    hold_accounts(session)
    person = existing(session, number)
    if problems := access_problems(session, person.site, access):
        raise InvalidFields({"access": problems})
    _refuse_orphans(session, person, msgspec.structs.replace(person, access=dict(access)))
    _store_access(session, number, person.site, access, now)
    note(session, EventKind.ACCESS_CHANGED, now, person.email, f"{access_text(person.access)} -> {access_text(access)}")
    return existing(session, number)


def set_first_site(session: Session, person: Account, root: int, now: int) -> None:
    """Make a site the first site of a person's account, and the person its admin."""
    letter: Access = "*" if person.access.get(ALL_SITES) == "*" else "a"
    _store_access(session, person.id, root, {ALL_SITES: letter}, now)


def join_account(
    session: Session, person: Account, root: int | None, access: Mapping[str, Access], now: int
) -> Account:
    """Make a person one of an account's people, or give one of them other access.

    Args:
        root: the first site of the account; None for a person without sites, who may add their own.
    """
    hold_accounts(session)
    _store_access(session, person.id, root, access, now)
    note(session, EventKind.ACCESS_CHANGED, now, person.email, f"{access_text(person.access)} -> {access_text(access)}")
    return existing(session, person.id)


def delete_account(session: Session, number: int, now: int) -> None:
    """Delete an account with its tokens, login sessions, own segments, saved views, annotations and pins.

    Sites stay, and so do counters with other members, and public counters, which nobody owns then.

    Raises:
        InputRefused: a site would be left without an admin, or there is no such account.
    """
    hold_changes(session)  # before hold_accounts: both locks are always taken in this order
    hold_accounts(session)
    person = existing(session, number)
    _refuse_orphans(session, person, None)
    forget_person(session, number, now)
    session.common.delete_tokens(session.connection, account=number)
    end_logins(session, number)
    session.common.delete_recovery_codes(session.connection, account=number)
    hold_kept(session)
    session.common.delete_segments_of_person(session.connection, owner=number)
    session.common.delete_saved_views_of_person(session.connection, owner=number)
    session.common.delete_annotations_of_person(session.connection, owner=number)
    session.common.delete_pins_of_person(session.connection, account=number)
    session.common.delete_access_invites_of_person(session.connection, account=number)
    session.common.leave_owned_counters(session.connection, account=number)
    session.common.delete_account(session.connection, id=number)
    note(session, EventKind.ACCOUNT_DELETED, now, person.email)


def access_text(access: Mapping[str, Access]) -> str:
    """The text of an access in the audit log: ``all: admin, 3: read``."""
    return ", ".join(f"{place}: {ACCESS_WORDS[letter]}" for place, letter in access.items()) or "none"


def access_problems(session: Session, root: int | None, access: Mapping[str, str]) -> list[str]:
    """Messages about an invalid access (letters by site id or ``all``) in the account with this first site."""
    sites = [] if root is None else family(session, root)
    places = {ALL_SITES, *(str(site.id) for site in sites)}
    problems = [f"the account has no site {place}" for place in access if place not in places]
    letters = get_args(Access)
    return problems + [f"must be one of {', '.join(letters)}" for letter in access.values() if letter not in letters]


def _check(session: Session, email: str, name: str, root: int | None, access: Mapping[str, Access]) -> None:
    errors = {
        "email": email_problems(email),
        "name": line_problems(name, NAME_AT_MOST),
        "access": access_problems(session, root, access),
    }
    if not errors["email"] and account_by_email(session, email):
        errors["email"] = ["already exists"]
    if invalid := {field: problems for field, problems in errors.items() if problems}:
        raise InvalidFields(invalid)
    if count_accounts(session) >= ACCOUNTS_AT_MOST:
        msg = f"there are {ACCOUNTS_AT_MOST:,} accounts already, the most that a server can have"
        raise InputRefused(msg)


def _first_access(session: Session, root: int | None) -> dict[str, Access]:
    if root is not None:
        return {ALL_SITES: "r"}
    return {} if count_accounts(session) else {ALL_SITES: "*"}


def _root(session: Session, number: int) -> int:
    member_site = site(session, number)
    if member_site is None:
        raise InvalidFields({"site": [f"there is no site {number}"]})
    return member_site.root


def existing(session: Session, number: int) -> Account:
    """The account with this id.

    Raises:
        InputRefused: there is no such account.
    """
    person = account(session, number)
    if person is None:
        msg = f"there is no account {number}"
        raise InputRefused(msg)
    return person


def _store_access(session: Session, number: int, root: int | None, access: Mapping[str, Access], now: int) -> None:
    encoded = _encode(access).decode()
    session.common.set_access(session.connection, id=number, site=root, access=encoded, updated=now)


def _refuse_orphans(session: Session, before: Account, after: Account | None) -> None:
    """Refuse a change after which a site would have no admin."""
    if before.site is None:
        return
    others = [person for person in accounts_of(session, before.site) if person.id != before.id]
    remaining = others if after is None else [*others, after]
    for each in family(session, before.site):
        if before.may("a", each.id) and not any(person.may("a", each.id) for person in remaining):
            msg = f"{before.email} is the last admin of site {each.id}"
            raise InputRefused(msg)


def _from_row(row: Sequence[Any]) -> Account:
    number, uid, email, verified, name, site, totp, access, settings, login, opened, created, updated = row
    return Account(
        id=number,
        uid=uid,
        email=email,
        email_verified=bool(verified),
        name=name,
        site=site,
        totp_enabled=bool(totp),
        access=_decode_access(access),
        settings=_decode_settings(settings),
        login=login,
        opened=opened,
        created=created,
        updated=updated,
    )
