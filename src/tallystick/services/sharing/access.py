"""Access to shared counters: roles, and reading counters with their members.

The cost does not depend on how many counters there are: each look-up uses a primary key or a unique index.
"""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from tallystick.errors import SharingReason, SharingRefused
from tallystick.ledger import Session
from tallystick.model.shared_counter import Member, Role, SharedCounter
from tallystick.model.sharing import may

Shared = tuple[SharedCounter, list[Member]]
"""A counter and its members."""

UNNAMED = "Unnamed"
"""Display name of a person without a name."""

_is_uuid = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch


def normal_uid(text: str) -> str | None:
    """A UUID as it is stored; None for any other text."""
    return text.lower() if _is_uuid(text) else None


def role_of(session: Session, account: int, uid: str) -> tuple[SharedCounter, Role | None] | None:
    """A counter and a person's role in it, None for outsiders; None if the counter does not exist."""
    normal = normal_uid(uid)
    if normal is None:
        return None
    row = session.common.shared_counter(session.connection, account=account, uid=normal)
    return None if row is None else (from_row(row[:-1]), row[-1])


def readable_counter(session: Session, account: int, uid: str) -> SharedCounter:
    """A counter that a person may read.

    Raises:
        SharingRefused: NOT_FOUND, also for outsiders.
    """
    return require(session, account, uid, "viewer", hide_foreign=True)


def readable_with_role(session: Session, account: int, uid: str) -> tuple[SharedCounter, Role]:
    """A counter that a person may read, and their role in it.

    Raises:
        SharingRefused: NOT_FOUND, also for outsiders.
    """
    counter, role = role_of(session, account, uid) or (None, None)
    if counter is None or role is None:
        raise not_found()
    return counter, role


def require(session: Session, account: int, uid: str, least: Role, *, hide_foreign: bool = False) -> SharedCounter:
    """A counter in which a person has at least this role.

    Args:
        hide_foreign: an outsider gets NOT_FOUND in place of FORBIDDEN.

    Raises:
        SharingRefused: NOT_FOUND or FORBIDDEN.
    """
    access = role_of(session, account, uid)
    if access is None:
        raise not_found()
    counter, role = access
    require_role(role, least, hide_foreign=hide_foreign)
    return counter


def require_role(role: Role | None, least: Role, *, hide_foreign: bool = False) -> None:
    """Check that a role is enough.

    Raises:
        SharingRefused: FORBIDDEN, or with ``hide_foreign`` NOT_FOUND for outsiders.
    """
    if may(role, least):
        return
    if role is None and hide_foreign:
        raise not_found()
    text = "you do not share this counter" if role is None else f"this takes {least} rights; you are a {role}"
    raise SharingRefused(SharingReason.FORBIDDEN, text)


def not_found() -> SharingRefused:
    """The refusal for a counter that does not exist, or must look so."""
    return SharingRefused(SharingReason.NOT_FOUND, "there is no such counter")


def counters_of(session: Session, account: int) -> list[SharedCounter]:
    """The counters that a person shares, by UUID and so by age. One statement; it costs what it returns."""
    return [from_row(row) for row in session.common.shared_counters_of(session.connection, account=account)]


def members_of(session: Session, counter_ids: Collection[int]) -> dict[int, list[Member]]:
    """The members of some counters, in the order in which they joined. One statement; it costs what it returns."""
    members: dict[int, list[Member]] = defaultdict(list)
    ids = msgspec.json.encode(list(counter_ids)).decode()
    for counter, *row in session.queries.members_of_counters(session.connection, counters=ids):
        members[counter].append(member_from_row(row))
    return {number: members[number] for number in counter_ids}


def with_members(session: Session, counter: SharedCounter) -> Shared:
    """A counter with its members."""
    return counter, members_of(session, [counter.id])[counter.id]


def readable_with_members(session: Session, account: int, uid: str) -> Shared:
    """A counter that a person may read, with its members.

    Raises:
        SharingRefused: NOT_FOUND, also for outsiders.
    """
    return with_members(session, readable_counter(session, account, uid))


def counters_with_members_of(session: Session, account: int) -> list[Shared]:
    """The counters that a person shares, each with its members. Two statements."""
    counters = counters_of(session, account)
    members = members_of(session, [counter.id for counter in counters])
    return [(counter, members[counter.id]) for counter in counters]


def from_row(row: Sequence[Any]) -> SharedCounter:
    """A counter as the queries select it."""
    number, uid, name, kind, mode, date, day, goal, allow_exceed, least, reset_value, created, value, version = row
    return SharedCounter(
        id=number,
        uid=uid,
        name=name,
        type=kind,
        mode=mode,
        date=date,
        day=None if day is None else dt.date.fromisoformat(day),
        goal=goal,
        allow_exceed=bool(allow_exceed),
        least=least,
        reset_value=reset_value,
        created=created,
        value=value,
        version=version,
    )


def member_from_row(row: Sequence[Any]) -> Member:
    """A member as the queries select it."""
    account, uid, name, role, joined = row
    return Member(account=account, uid=uid, name=name or UNNAMED, role=role, joined=joined)
