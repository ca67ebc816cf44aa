"""Creating, editing and deleting shared counters.

A few statements each; their cost does not depend on how many counters there are.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict, replace
from uuid_utils.compat import uuid7

from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Session
from tallystick.model.counter import Counter
from tallystick.model.key import lane_of
from tallystick.model.shared_counter import SharedCounter, number_key
from tallystick.model.sharing import ValueRules, check_replacement, edited_number, new_number
from tallystick.model.sharing_details import checked
from tallystick.services.sharing.access import Shared, not_found, require, require_role, role_of, with_members
from tallystick.services.sharing.changes import Recorded, hold_changes, record
from tallystick.services.sharing.own_milestones import check_milestones, note_reached, own_milestones, set_milestones

COUNTERS_AT_MOST = 1_000
"""Counters that one person shares."""


class NewCounter(Struct, frozen=True, kw_only=True):
    """A counter to be created; see ``SharedCounter``.

    Attributes:
        mode: of UpDown; UpAndDown by default.
        date, day: of the other types; either one is derived from the other.
    """

    name: str
    type: str = "UpDown"
    mode: str | None = None
    date: int | None = None
    day: dt.date | None = None
    goal: int | None = None
    allow_exceed: bool = True
    least: int | None = None
    value: int = 0
    reset_value: int = 0


class Edit(Struct, frozen=True, kw_only=True):
    """Changes of a counter; unset fields stay.

    Attributes:
        date, day: given alone, either one is derived from the other.
        milestones: values that are milestones beside the powers of ten.
        confirm: the value may go against the counter's mode.
    """

    name: str | UnsetType = UNSET
    value: int | UnsetType = UNSET
    mode: str | UnsetType = UNSET
    date: int | UnsetType = UNSET
    day: dt.date | UnsetType = UNSET
    goal: int | UnsetType | None = UNSET
    allow_exceed: bool | UnsetType = UNSET
    least: int | UnsetType | None = UNSET
    reset_value: int | UnsetType = UNSET
    milestones: tuple[int, ...] | UnsetType = UNSET
    confirm: bool = False


def create(session: Session, account: int, new: NewCounter, now: int) -> SharedCounter:
    """Create a counter; its creator is its first member, and its admin.

    Raises:
        SharingRefused: a field is not valid, or TOO_MANY.
    """
    hold_changes(session)
    require_person(session, account)
    require_room(session, account)
    counter = checked(_new(new, now))
    counter = replace(counter, id=session.take_numbers("shared counter"))
    key = number_key(counter.uid)
    session.common.add_shared_counter(session.connection, lane=lane_of(key), **_columns(counter))
    session.load([key])
    session.save({key: new_number(counter.mode, counter.value, now)}, {})
    number = record(session, Recorded(counter.id, "created", account, now, None, counter.value, counter.version))
    session.common.add_member(
        session.connection, account=account, counter=counter.id, role="admin", joined=now, since=number
    )
    return counter


def create_shared(session: Session, account: int, new: NewCounter | SharingRefused, now: int) -> Shared:
    """Create a counter like ``create``; returns it with its members.

    Args:
        new: the counter, or the refusal of a malformed body, raised here so that it is recorded like any other.
    """
    if isinstance(new, SharingRefused):
        raise new
    return with_members(session, create(session, account, new, now))


def edit_read(  # noqa: PLR0913  # account, counter, edit, time and conditions
    session: Session,
    account: int,
    uid: str,
    changes: Edit | SharingRefused | None,
    now: int,
    *,
    version: int | None = None,
    hide_foreign: bool = False,
) -> SharedCounter:
    """Change a counter by an edit that was derived from an earlier read of it.

    Args:
        changes: None if the counter did not exist; a refusal if the edit does not fit its type.

    Raises:
        SharingRefused: refusals for missing rights come before all others.
    """
    access = role_of(session, account, uid)
    if access is None or changes is None:
        raise not_found()
    _, role = access
    require_role(role, "member", hide_foreign=hide_foreign)
    try:
        if isinstance(changes, SharingRefused):
            raise changes
        return edit(session, account, uid, changes, now, version=version, hide_foreign=hide_foreign)
    except SharingRefused as refused:
        if refused.reason is not SharingReason.CHANGED_MEANWHILE:
            require_role(role, "admin")
        raise


def edit_read_shared(session: Session, account: int, uid: str, *arguments: Any, **conditions: Any) -> Shared:  # noqa: ANN401
    """Change a counter like ``edit_read``; returns it with its members."""
    return with_members(session, edit_read(session, account, uid, *arguments, **conditions))


def edit(  # noqa: PLR0913  # account, counter, edit, time and conditions
    session: Session,
    account: int,
    uid: str,
    changes: Edit,
    now: int,
    *,
    version: int | None = None,
    hide_foreign: bool = False,
) -> SharedCounter:
    """Change a counter. An edit that changes nothing is open to any member.

    Args:
        version: that the counter must still have.

    Raises:
        SharingRefused: the person may not do that, or a field is not valid.
    """
    hold_changes(session)
    access = role_of(session, account, uid)
    if access is None:
        raise not_found()
    before, role = access
    require_role(role, "member", hide_foreign=hide_foreign)
    require_version(before, version)
    after = _edited(before, changes)
    milestones = _other_milestones(session, before, changes)
    if after == before and milestones is None:
        return before
    require_role(role, "admin")
    check_replacement(ValueRules.of(after), before.value, after.value, confirm=changes.confirm)
    stored = _store_edit(session, account, before, after, now)
    if milestones is not None:
        set_milestones(session, stored, milestones)
    return stored


def delete(  # noqa: PLR0913  # account, counter, time and conditions
    session: Session, account: int, uid: str, now: int, *, version: int | None = None, hide_foreign: bool = False
) -> None:
    """Remove a counter with its members and invites; the sweep removes its history later, in pieces.

    Raises:
        SharingRefused: NOT_FOUND, FORBIDDEN or CHANGED_MEANWHILE.
    """
    hold_changes(session)
    counter = require(session, account, uid, "admin", hide_foreign=hide_foreign)
    require_version(counter, version)
    remove_counter(session, counter, account, now)


def remove_counter(session: Session, counter: SharedCounter, actor: int | None, now: int) -> None:
    """Remove a counter with its members and invites; the cost grows with their number. Call ``hold_changes`` before."""
    key = number_key(counter.uid)
    session.save({key: None}, session.load([key]))
    number = record(session, Recorded(counter.id, "deleted", actor, now))
    common, connection = session.common, session.connection
    common.add_farewells(connection, counter=counter.id, number=number, uid=counter.uid, at=now)
    common.remove_members(connection, counter=counter.id)
    common.remove_invites(connection, counter=counter.id)
    common.remove_own_milestones(connection, counter=counter.id)
    common.forget_removals(connection, counter=counter.id)
    common.delete_shared_counter(connection, id=counter.id)
    common.note_deleted_counter(connection, counter=counter.id, number=number, at=now)


def require_version(counter: SharedCounter, version: int | None) -> None:
    """Check that a counter still has a version.

    Raises:
        SharingRefused: CHANGED_MEANWHILE.
    """
    if version not in {None, counter.version}:
        raise SharingRefused(
            SharingReason.CHANGED_MEANWHILE, f"the counter has version {counter.version} now, not {version}"
        )


def require_person(session: Session, account: int) -> None:
    """Check that an account still exists: another server may just have deleted it.

    Raises:
        SharingRefused: FORBIDDEN.
    """
    if session.common.account_by_id(session.connection, id=account) is None:
        raise SharingRefused(SharingReason.FORBIDDEN, "this account was deleted")


def require_room(session: Session, account: int) -> None:
    """Check that a person may share one more counter.

    Raises:
        SharingRefused: TOO_MANY.
    """
    if session.common.count_shared_counters_of(session.connection, account=account) >= COUNTERS_AT_MOST:
        raise SharingRefused(SharingReason.TOO_MANY, f"a person shares at most {COUNTERS_AT_MOST:,} counters")


def _new(new: NewCounter, now: int) -> SharedCounter:
    fields: dict[str, Any] = asdict(new)
    if new.type == "UpDown" and new.mode is None:
        fields["mode"] = "UpAndDown"
    return SharedCounter(**fields, id=0, uid=str(uuid7()), created=now, version=1)


def _edited(before: SharedCounter, edit: Edit) -> SharedCounter:
    changes: dict[str, Any] = {name: value for name, value in asdict(edit).items() if value is not UNSET}
    del changes["confirm"]
    changes.pop("milestones", None)
    if "date" in changes or "day" in changes:
        changes = {"date": None, "day": None} | changes
    return checked(replace(before, **changes))


def _other_milestones(session: Session, before: SharedCounter, edit: Edit) -> Sequence[int] | None:
    """The milestones that an edit gives a counter; None if it has these already."""
    if edit.milestones is UNSET:
        return None
    check_milestones(before, edit.milestones)
    stored = {each.value for each in own_milestones(session, before)}
    return None if set(edit.milestones) == stored else edit.milestones


def _store_edit(session: Session, account: int, before: SharedCounter, after: SharedCounter, now: int) -> SharedCounter:
    key = number_key(before.uid)
    loaded = session.load([key])
    number: Counter = edited_number(loaded[key], after.mode, after.value, now)
    session.save({key: number}, loaded)
    columns = _columns(after)
    for fixed in ("uid", "type", "created"):
        del columns[fixed]
    session.common.change_shared_counter(session.connection, **columns)
    delta = after.value - before.value or None
    change = record(session, Recorded(after.id, "details", account, now, delta, number.value, number.version))
    note_reached(session, after.id, before.value, after.value, change)
    return replace(after, version=number.version)


def _columns(counter: SharedCounter) -> dict[str, Any]:
    columns = asdict(counter)
    del columns["value"], columns["version"]
    day = None if counter.day is None else counter.day.isoformat()
    return columns | {"day": day, "allow_exceed": int(counter.allow_exceed)}
