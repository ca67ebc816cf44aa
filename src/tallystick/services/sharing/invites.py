"""Invites: codes by which people join a counter. Only a code's digest is stored, and used for the look-up.

A few statements each, by primary keys and unique indexes; a counter has a few hundred invites at most.
"""

from collections.abc import Sequence
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Session
from tallystick.model.shared_counter import Role, SharedCounter
from tallystick.model.sharing import RANKS
from tallystick.services.sharing.access import UNNAMED, Shared, normal_uid, not_found, require, role_of, with_members
from tallystick.services.sharing.changes import Recorded, hold_changes, record
from tallystick.services.sharing.counters import require_person, require_room

DAY_MS = 86_400_000
LIFETIME_MS = 7 * DAY_MS
LONGEST_LIFETIME_MS = 366 * DAY_MS
MOST_USES = 1_000_000
INVITES_AT_MOST = 100
"""Open invites of a counter."""

CLOSED_KEPT = 200
"""Newest invites of a counter that are kept when they are used up or expired."""

MEMBERS_AT_MOST = 1_000
"""People who share one counter."""

CODE_BYTES = 24
"""Random bytes of a code; its prefix is shown again, and leaves 144 bits."""

PREFIX_LENGTH = 8
INVITED_AS: tuple[Role, ...] = ("member", "viewer")


class NewInvite(Struct, frozen=True, kw_only=True):
    """An invite to be created.

    Attributes:
        role: member or viewer.
        lifetime: milliseconds.
        max_uses: how many people may use it; None for no limit.
    """

    role: str = "member"
    lifetime: int = LIFETIME_MS
    max_uses: int | None = None


class Invite(Struct, frozen=True, kw_only=True):
    """An invite, without its code. Times are Unix milliseconds.

    Attributes:
        uid: UUID v7.
        prefix: the code's first characters, by which people recognise it.
        by: UUID and name of its creator; None if the account is deleted.
    """

    uid: str
    prefix: str
    role: Role
    expires: int
    max_uses: int | None
    uses: int
    by: tuple[str, str] | None
    created: int

    def is_open(self, now: int) -> bool:
        """Whether it can still be used."""
        return self.expires > now and (self.max_uses is None or self.uses < self.max_uses)


MadeInvite = tuple[Invite, str | None]
"""A new invite and its code; None in a replayed response."""


class Preview(Struct, frozen=True):
    """What a code shows before it is used.

    Attributes:
        counter: the counter's name.
        inviter: the name of its creator; None if the account is deleted.
    """

    counter: str
    role: Role
    inviter: str | None


def create(  # noqa: PLR0913  # account, counter, invite and time
    session: Session, account: int, uid: str, new: NewInvite, now: int, *, hide_foreign: bool = False
) -> tuple[Invite, str]:
    """Create an invite. Returns it with its code, which is not stored.

    Raises:
        SharingRefused: NOT_FOUND, FORBIDDEN, INVALID_DATA or TOO_MANY.
    """
    hold_changes(session)
    counter = require(session, account, uid, "admin", hide_foreign=hide_foreign)
    _check(new)
    common, connection = session.common, session.connection
    common.forget_closed_invites(connection, counter=counter.id, now=now, kept=CLOSED_KEPT)
    if len(_open(session, counter, now)) >= INVITES_AT_MOST:
        raise SharingRefused(SharingReason.TOO_MANY, f"a counter has at most {INVITES_AT_MOST} open invites")
    code, number = token_urlsafe(CODE_BYTES), next_uid(session, counter)
    common.add_invite(
        connection,
        uid=number,
        counter=counter.id,
        digest=_digest(code),
        prefix=code[:PREFIX_LENGTH],
        role=new.role,
        expires=now + new.lifetime,
        max_uses=new.max_uses,
        account=account,
        created=now,
    )
    made, _ = _by_code(session, code)
    return made, code


def without_code(made: MadeInvite) -> MadeInvite:
    """A new invite as it is recorded: its code is shown once and stored nowhere."""
    return made[0], None


def open_invites(session: Session, account: int, uid: str, now: int, *, hide_foreign: bool = False) -> list[Invite]:
    """The open invites of a counter, older ones first; for admins.

    Raises:
        SharingRefused: NOT_FOUND or FORBIDDEN.
    """
    return _open(session, require(session, account, uid, "admin", hide_foreign=hide_foreign), now)


def take_back(session: Session, account: int, uid: str, invite: str, *, hide_foreign: bool = False) -> None:
    """Remove an invite: its code is no longer valid.

    Args:
        invite: its UUID, or its code.

    Raises:
        SharingRefused: NOT_FOUND or FORBIDDEN.
    """
    hold_changes(session)
    counter = require(session, account, uid, "admin", hide_foreign=hide_foreign)
    invite_uid = normal_uid(invite) or _by_code(session, invite)[0].uid
    if not session.common.has_invite(session.connection, counter=counter.id, uid=invite_uid):
        raise SharingRefused(SharingReason.NOT_FOUND, "this counter has no such invite")
    session.common.remove_invite(session.connection, counter=counter.id, uid=invite_uid)


def preview(session: Session, code: str, now: int) -> Preview:
    """The counter, role and inviter of an open invite.

    Raises:
        SharingRefused: NOT_FOUND or GONE.
    """
    invite, uid = _by_code(session, code)
    _require_open(invite, now)
    counter, _ = _counter(session, 0, uid)
    return Preview(counter.name, invite.role, invite.by[1] if invite.by else None)


def accept(session: Session, account: int, code: str, now: int) -> SharedCounter:
    """Join a counter by a code. For a member whose role is at least the invite's, nothing changes.

    Raises:
        SharingRefused: NOT_FOUND, GONE, FORBIDDEN or TOO_MANY.
    """
    hold_changes(session)
    invite, uid = _by_code(session, code)
    counter, role = _counter(session, account, uid)
    if RANKS[role] >= RANKS[invite.role]:
        return counter
    _require_open(invite, now)
    _require_not_removed(session, counter, account, invite)
    require_person(session, account)
    if role is None:
        require_room(session, account)
        _require_place(session, counter)
    common, connection = session.common, session.connection
    number = record(session, Recorded(counter.id, "members", account, now))
    common.add_member(connection, account=account, counter=counter.id, role=invite.role, joined=now, since=number)
    common.count_invite_use(connection, uid=invite.uid)
    return counter


def accept_shared(session: Session, account: int, code: str, now: int) -> Shared:
    """Join a counter like ``accept``; returns it with its members."""
    return with_members(session, accept(session, account, code, now))


def _check(new: NewInvite) -> None:
    if new.role not in INVITED_AS:
        raise SharingRefused(SharingReason.INVALID_DATA, f"an invite is for a {' or a '.join(INVITED_AS)}")
    if not 1 <= new.lifetime <= LONGEST_LIFETIME_MS:
        raise SharingRefused(SharingReason.INVALID_DATA, "an invite ends in the future, within a year")
    if new.max_uses is not None and not 1 <= new.max_uses <= MOST_USES:
        raise SharingRefused(SharingReason.INVALID_DATA, f"an invite has 1 to {MOST_USES:,} uses")


def _open(session: Session, counter: SharedCounter, now: int) -> list[Invite]:
    rows = session.common.open_invites(session.connection, counter=counter.id, now=now)
    return [_from_row(row) for row in rows]


def _by_code(session: Session, code: str) -> tuple[Invite, str]:
    row = session.common.invite_by_digest(session.connection, digest=_digest(code))
    if row is None:
        raise SharingRefused(SharingReason.NOT_FOUND, "there is no such invite")
    return _from_row(row[:-1]), row[-1]


def _counter(session: Session, account: int, uid: str) -> tuple[SharedCounter, Role | None]:
    access = role_of(session, account, uid)
    if access is None:
        raise not_found()
    return access


def next_uid(session: Session, counter: SharedCounter) -> str:
    """A UUID greater than those of all invites and removals of a counter.

    A UUID v7 of now is not: another server may have stored one whose clock is ahead of this server's.
    """
    stored = session.common.newest_invite_and_removal(session.connection, counter=counter.id)
    return max([str(uuid7()), *(str(UUID(int=UUID(uid).int + 1)) for uid in stored if uid is not None)])


def _require_open(invite: Invite, now: int) -> None:
    if not invite.is_open(now):
        raise SharingRefused(SharingReason.GONE, "this invite is used up or over")


def _require_not_removed(session: Session, counter: SharedCounter, account: int, invite: Invite) -> None:
    since = session.common.removed_since(session.connection, counter=counter.id, account=account)
    if since is not None and invite.uid < since:
        msg = "an admin has removed you, or changed your role, since this invite was made; ask for a new one"
        raise SharingRefused(SharingReason.FORBIDDEN, msg)


def _require_place(session: Session, counter: SharedCounter) -> None:
    if session.common.count_members(session.connection, counter=counter.id) >= MEMBERS_AT_MOST:
        raise SharingRefused(SharingReason.TOO_MANY, f"at most {MEMBERS_AT_MOST:,} people share a counter")


def _from_row(row: Sequence[Any]) -> Invite:
    uid, prefix, role, expires, max_uses, uses, by, name, created = row
    return Invite(
        uid=uid,
        prefix=prefix,
        role=role,
        expires=expires,
        max_uses=max_uses,
        uses=uses,
        by=None if by is None else (by, name or UNNAMED),
        created=created,
    )


def _digest(code: str) -> bytes:
    return sha256(code.encode("utf-8", "surrogatepass")).digest()
