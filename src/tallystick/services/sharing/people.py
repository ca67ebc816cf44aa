"""Members of counters: roles, leaving and removal.

The cost depends on how many share the counter (1,000 at most), not on how many counters there are.
"""

from collections.abc import Sequence

from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Session
from tallystick.model.shared_counter import Member, Role, SharedCounter
from tallystick.model.sharing import RANKS
from tallystick.services.sharing.access import counters_of, member_from_row, readable_counter, require
from tallystick.services.sharing.changes import Recorded, hold_changes, record
from tallystick.services.sharing.counters import remove_counter
from tallystick.services.sharing.invites import next_uid

HEIRS: tuple[Role, ...] = ("member", "viewer")
"""Which role becomes admin of a counter without one; among these the member who joined first."""


def members(session: Session, account: int, uid: str) -> list[Member]:
    """The members of a counter, in the order in which they joined.

    Raises:
        SharingRefused: NOT_FOUND.
    """
    return members_in(session, readable_counter(session, account, uid))


def members_in(session: Session, counter: SharedCounter) -> list[Member]:
    """The members of a counter, in the order in which they joined."""
    return [member_from_row(row) for row in session.common.members_of_counter(session.connection, counter=counter.id)]


def member(session: Session, account: int, uid: str, member_uid: str) -> Member:
    """One member of a counter.

    Raises:
        SharingRefused: NOT_FOUND.
    """
    return _member(members(session, account, uid), member_uid)


def set_role(  # noqa: PLR0913, PLR0917  # account, counter, member, role and time
    session: Session, account: int, uid: str, member_uid: str, role: Role, now: int, *, hide_foreign: bool = False
) -> Member:
    """Give a member another role. A former admin's open invites are removed.

    Raises:
        SharingRefused: NOT_FOUND, FORBIDDEN or LAST_ADMIN.
    """
    hold_changes(session)
    counter = require(session, account, uid, "admin", hide_foreign=hide_foreign)
    all_members = members_in(session, counter)
    member = _member(all_members, member_uid)
    if member.role == role:
        return member
    _refuse_without_admin(all_members, member)
    _store_role(session, counter, member.account, role)
    if RANKS[role] < RANKS[member.role]:
        _bar_older_invites(session, counter, member.account)
    if member.role == "admin":
        session.common.remove_invites_of(session.connection, counter=counter.id, account=member.account)
    record(session, Recorded(counter.id, "members", account, now))
    return _member(members_in(session, counter), member_uid)


def set_admin(  # noqa: PLR0913, PLR0917  # account, counter, member, role and time
    session: Session,
    account: int,
    uid: str,
    member_uid: str,
    is_admin: bool,  # noqa: FBT001
    now: int,
    *,
    hide_foreign: bool = False,
) -> Member:
    """Make a member an admin, or an admin a member; a viewer stays a viewer.

    Raises:
        SharingRefused: NOT_FOUND, FORBIDDEN or LAST_ADMIN.
    """
    counter = require(session, account, uid, "admin", hide_foreign=hide_foreign)
    role: Role = "admin"
    if not is_admin:
        roles = {member.uid: member.role for member in members_in(session, counter)}
        role = "viewer" if roles.get(member_uid.lower()) == "viewer" else "member"
    return set_role(session, account, uid, member_uid, role, now, hide_foreign=hide_foreign)


def remove(  # noqa: PLR0913  # account, counter, member and time
    session: Session, account: int, uid: str, member_uid: str, now: int, *, hide_foreign: bool = False
) -> None:
    """Remove a member; members may always remove themselves. The counter is deleted with its last member.

    Raises:
        SharingRefused: NOT_FOUND, FORBIDDEN or LAST_ADMIN.
    """
    hold_changes(session)
    counter = require(session, account, uid, "viewer", hide_foreign=hide_foreign)
    all_members = members_in(session, counter)
    if not any(member.account == account and member.uid == member_uid.lower() for member in all_members):
        require(session, account, uid, "admin")
    member = _member(all_members, member_uid)
    if len(all_members) == 1:
        remove_counter(session, counter, account, now)
        return
    _refuse_without_admin(all_members, member)
    if member.account != account:
        _bar_older_invites(session, counter, member.account)
    _remove_membership(session, counter, member.account, account, now)


def forget_person(session: Session, account: int, now: int) -> None:
    """Remove a person whose account is deleted from all counters.

    Counters without another member are deleted. If the person was the last admin, the member who joined first
    becomes one, viewers last. A few statements a counter.
    """
    hold_changes(session)
    session.common.forget_removals_of(session.connection, account=account)
    for counter in counters_of(session, account):
        others = [member for member in members_in(session, counter) if member.account != account]
        if not others:
            remove_counter(session, counter, None, now)
            continue
        if not any(member.role == "admin" for member in others):
            _store_role(session, counter, _heir(others).account, "admin")
        _remove_membership(session, counter, account, None, now)


def _remove_membership(session: Session, counter: SharedCounter, member: int, actor: int | None, now: int) -> None:
    common, connection = session.common, session.connection
    common.remove_member(connection, account=member, counter=counter.id)
    # Otherwise a removed member could rejoin with an invite of their own.
    common.remove_invites_of(connection, counter=counter.id, account=member)
    number = record(session, Recorded(counter.id, "members", actor, now))
    common.add_farewell(connection, account=member, number=number, uid=counter.uid, at=now)


def _bar_older_invites(session: Session, counter: SharedCounter, account: int) -> None:
    """Bar older invites: they must restore neither a removed member nor a former role."""
    session.common.note_removal(
        session.connection, counter=counter.id, account=account, since=next_uid(session, counter)
    )


def _store_role(session: Session, counter: SharedCounter, account: int, role: Role) -> None:
    session.common.set_role(session.connection, account=account, counter=counter.id, role=role)


def _member(all_members: Sequence[Member], uid: str) -> Member:
    for member in all_members:
        if member.uid == uid.lower():
            return member
    raise SharingRefused(SharingReason.NOT_FOUND, "this counter has no such member")


def _refuse_without_admin(all_members: Sequence[Member], leaving: Member) -> None:
    if leaving.role == "admin" and sum(member.role == "admin" for member in all_members) == 1:
        raise SharingRefused(
            SharingReason.LAST_ADMIN,
            f"{leaving.name} is this counter's last admin; someone else has to become one",
        )


def _heir(others: Sequence[Member]) -> Member:
    return min(others, key=lambda member: HEIRS.index(member.role))
