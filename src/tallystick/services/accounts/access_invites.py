"""Invites to the sites of an account, and to the server: codes by which people get access, or an account.

Only a code's digest is stored, and used for the look-up. An invite holds as long as its maker may invite. Functions of
``(session, ...)``; times are Unix milliseconds.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

import msgspec
from msgspec import Struct
from uuid_utils.compat import uuid7

from tallystick.errors import InputRefused, InvalidFields, InviteReason, InviteRefused
from tallystick.ledger import Session
from tallystick.model.account import ALL_SITES, Access, Account
from tallystick.services.accounts.accounts import (
    NewAccount,
    access_problems,
    access_text,
    account,
    count_accounts,
    create_account,
    existing,
    hold_accounts,
    join_account,
)
from tallystick.services.accounts.audit import EventKind, is_superuser, note
from tallystick.services.accounts.people import may_manage, require_admin
from tallystick.services.accounts.site_rows import family

DAY_MS = 86_400_000
LIFETIME_MS = 7 * DAY_MS
LONGEST_LIFETIME_MS = 366 * DAY_MS
MOST_USES = 10_000
OPEN_AT_MOST = 100
"""Open invites to the sites of one account, and to the server."""

KEPT_MS = 30 * DAY_MS
"""How long an invite that has expired is kept, so that its page says so."""

CODE_BYTES = 24
"""Random bytes of a code; its prefix is shown again, and leaves 144 bits."""

PREFIX_LENGTH = 8
INVITED_TO: tuple[Access, ...] = ("r", "s", "a")
"""Access that invites give; superusers are made otherwise."""

MAY_ADD_SITES: Mapping[str, Access] = {ALL_SITES: "a"}
"""What an invite to the server gives beyond counters, if it does."""

_encode = msgspec.json.Encoder().encode
_decode_access = msgspec.json.Decoder(dict[str, Access]).decode


class NewAccessInvite(Struct, frozen=True, kw_only=True):
    """An invite to be made.

    Attributes:
        access: letters by site id or ``all``; of an invite to the server ``MAY_ADD_SITES`` or nothing.
        lifetime: milliseconds.
        max_uses: how many people may use it; None for no limit.
    """

    access: Mapping[str, Access]
    lifetime: int = LIFETIME_MS
    max_uses: int | None = 1


class AccessInvite(Struct, frozen=True, kw_only=True):
    """An invite, without its code.

    Attributes:
        uid: UUID v7.
        prefix: the code's first characters, by which people recognise it.
        root: the first site of the account to whose sites it is; None for one to the server.
        maker: account; None for the operator on the command line.
        maker_name: may be empty.
    """

    uid: str
    prefix: str
    root: int | None
    access: dict[str, Access]
    expires: int
    max_uses: int | None
    uses: int
    maker: int | None
    maker_name: str
    created: int

    def is_open(self, now: int) -> bool:
        """Whether it can still be used."""
        return self.expires > now and (self.max_uses is None or self.uses < self.max_uses)


def invite_to_sites(session: Session, actor: int, new: NewAccessInvite, now: int) -> tuple[AccessInvite, str]:
    """Make an invite to sites of the actor's account. Returns it with its code, which is not stored.

    Raises:
        InvalidFields: the access, the lifetime or the number of uses is none.
        InputRefused: the actor may not, or there are too many invites.
    """
    hold_accounts(session)
    admin = require_admin(session, actor)
    problems = access_problems(session, admin.site, new.access)
    if not new.access or set(new.access.values()) - set(INVITED_TO):
        problems = [*problems, "must be read, settings or admin"]
    if problems:
        raise InvalidFields({"access": problems})
    return _made(session, admin.id, admin.site, new, now)


def invite_to_server(session: Session, actor: int | None, new: NewAccessInvite, now: int) -> tuple[AccessInvite, str]:
    """Make an invite to the server. Returns it with its code, which is not stored.

    Args:
        actor: a superuser; None for the operator.

    Raises:
        InvalidFields: the lifetime or the number of uses is none.
        InputRefused: the actor may not, or there are too many invites.
    """
    hold_accounts(session)
    if actor is not None:
        _require_superuser(session, actor)
    elif not count_accounts(session):
        msg = "this server is not set up yet: its first account must not be one of a guest"
        raise InputRefused(msg)
    return _made(session, actor, None, new, now)


def open_access_invites(session: Session, root: int | None, now: int) -> list[AccessInvite]:
    """The invites that can still be used, oldest first.

    Args:
        root: the first site of the account to whose sites they are; None for those to the server.
    """
    rows = session.common.open_access_invites(session.connection, root=root or 0, now=now)
    return [_from_row(row) for row in rows]


def withdraw_from_sites(session: Session, actor: int, uid: str, now: int) -> None:
    """Remove an invite to sites of the actor's account: its code is no longer valid.

    Raises:
        InputRefused: the actor may not, or there is no such invite.
    """
    hold_accounts(session)
    _withdraw(session, require_admin(session, actor).site, uid, now)


def withdraw_from_server(session: Session, actor: int, uid: str, now: int) -> None:
    """Remove an invite to the server.

    Raises:
        InputRefused: the actor may not, or there is no such invite.
    """
    hold_accounts(session)
    _require_superuser(session, actor)
    _withdraw(session, None, uid, now)


def has_access_invite(session: Session, code: str) -> bool:
    """Whether a code is, or was, one of an invite to sites or to the server."""
    return session.common.access_invite_by_digest(session.connection, digest=_digest(code)) is not None


def access_invite(session: Session, code: str, now: int) -> AccessInvite:
    """The invite with a code, if it can be used.

    Raises:
        InviteRefused: UNKNOWN or SPENT.
    """
    invite = _by_code(session, code)
    _require_open(session, invite, now)
    return invite


def accept_access_invite(session: Session, number: int, code: str, now: int) -> tuple[AccessInvite, Account]:
    """Give a person what an invite is for. For one of the account already nothing changes, and nothing is used up.

    Raises:
        InviteRefused
    """
    hold_accounts(session)
    invite, person = _by_code(session, code), existing(session, number)
    if has_already(person, invite):
        return invite, person
    _require_open(session, invite, now)
    if person.site is not None:
        raise InviteRefused(InviteReason.OTHER_ACCOUNT, "you share the sites of another account already")
    _use(session, invite, person.email, now)
    access = person.access if is_superuser(person) else invite.access
    return invite, join_account(session, person, invite.root, access, now)


def join_by_access_invite(session: Session, code: str, new: NewAccount, now: int) -> tuple[AccessInvite, Account]:
    """Create an account that has what an invite is for, or neither.

    Args:
        new: its site and access are the invite's.

    Raises:
        InviteRefused
        InvalidFields, InputRefused: the account cannot be created.
    """
    hold_accounts(session)
    invite = access_invite(session, code, now)
    _use(session, invite, new.email, now)
    return invite, create_account(session, msgspec.structs.replace(new, site=invite.root, access=invite.access), now)


def _made(
    session: Session, maker: int | None, root: int | None, new: NewAccessInvite, now: int
) -> tuple[AccessInvite, str]:
    _check(new)
    session.common.forget_access_invites(session.connection, before=now - KEPT_MS)
    if len(open_access_invites(session, root, now)) >= OPEN_AT_MOST:
        msg = f"there are {OPEN_AT_MOST} open invites already; withdraw some"
        raise InputRefused(msg)
    code = token_urlsafe(CODE_BYTES)
    session.common.add_access_invite(
        session.connection,
        uid=str(uuid7()),
        digest=_digest(code),
        prefix=code[:PREFIX_LENGTH],
        root=root,
        access=_encode(new.access).decode(),
        expires=now + new.lifetime,
        max_uses=new.max_uses,
        account=maker,
        created=now,
    )
    invite = _by_code(session, code)
    note(session, EventKind.INVITE_MADE, now, _subject(invite), access_text(invite.access))
    return invite, code


def _check(new: NewAccessInvite) -> None:
    problems = {}
    if not 1 <= new.lifetime <= LONGEST_LIFETIME_MS:
        problems["days"] = ["must be 1 to 366"]
    if new.max_uses is not None and not 1 <= new.max_uses <= MOST_USES:
        problems["uses"] = [f"must be 1 to {MOST_USES:,}"]
    if problems:
        raise InvalidFields(problems)


def _withdraw(session: Session, root: int | None, uid: str, now: int) -> None:
    invite = next((each for each in open_access_invites(session, root, now) if each.uid == uid), None)
    if invite is None:
        msg = "there is no such invite any more"
        raise InputRefused(msg)
    session.common.remove_access_invite(session.connection, root=root or 0, uid=uid)
    note(session, EventKind.INVITE_WITHDRAWN, now, _subject(invite), access_text(invite.access))


def _use(session: Session, invite: AccessInvite, email: str, now: int) -> None:
    session.common.count_access_invite_use(session.connection, uid=invite.uid)
    note(session, EventKind.INVITE_ACCEPTED, now, email, _subject(invite))


def has_already(person: Account, invite: AccessInvite) -> bool:
    """Whether an invite changes nothing for a person: what people of an account may do is changed by its admins only.

    Otherwise someone whose access was reduced could get it back by an old invite.
    """
    if person.site is not None:
        return invite.root in {None, person.site}
    return invite.root is None and (not invite.access or ALL_SITES in person.access)


def _require_open(session: Session, invite: AccessInvite, now: int) -> None:
    if not invite.is_open(now) or not _may_still_invite(session, invite) or _is_of_gone_site(session, invite):
        raise InviteRefused(InviteReason.SPENT, "this invite is used up or over")


def _may_still_invite(session: Session, invite: AccessInvite) -> bool:
    if invite.maker is None:
        return True
    maker = account(session, invite.maker)
    if maker is None:
        return False
    return is_superuser(maker) if invite.root is None else maker.site == invite.root and may_manage(maker)


def _is_of_gone_site(session: Session, invite: AccessInvite) -> bool:
    if invite.root is None:
        return False
    return not family(session, invite.root) or bool(access_problems(session, invite.root, invite.access))


def _require_superuser(session: Session, actor: int) -> None:
    person = account(session, actor)
    if person is None or not is_superuser(person):
        msg = "only superusers can invite people to the server"
        raise InputRefused(msg)


def _subject(invite: AccessInvite) -> str:
    return f"invite {invite.prefix}"


def _by_code(session: Session, code: str) -> AccessInvite:
    row = session.common.access_invite_by_digest(session.connection, digest=_digest(code))
    if row is None:
        raise InviteRefused(InviteReason.UNKNOWN, "there is no such invite")
    return _from_row(row)


def _from_row(row: Sequence[Any]) -> AccessInvite:
    uid, prefix, root, access, expires, max_uses, uses, maker, name, created = row
    return AccessInvite(
        uid=uid,
        prefix=prefix,
        root=root,
        access=_decode_access(access),
        expires=expires,
        max_uses=max_uses,
        uses=uses,
        maker=maker,
        maker_name=name or "",
        created=created,
    )


def _digest(code: str) -> bytes:
    return sha256(code.encode("utf-8", "surrogatepass")).digest()
