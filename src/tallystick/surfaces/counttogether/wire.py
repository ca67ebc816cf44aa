"""CountTogether's JSON: its names stop here. ``today`` is the date in the time zone of the request."""

import datetime as dt
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tallystick.model.account import Permission, Token
from tallystick.model.shared_counter import Member, Milestone, SharedCounter, days_beyond, days_of, milestones
from tallystick.services.sharing.history import HistoryEntry
from tallystick.services.sharing.invites import Invite

SCOPES = {"read": Permission.COUNTERS_READ, "write": Permission.COUNTERS_WRITE}
"""Permissions of a token, by their names on this surface."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

json = msgspec.json.Encoder().encode
"""A body as the contract writes it."""


def time(milliseconds: int) -> str:
    """ISO 8601 in UTC; milliseconds only where there are any."""
    # Not fromtimestamp: it ends where the C library's years do.
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds").replace("+00:00", "Z")


def v1_counter(counter: SharedCounter, members: Sequence[Member], today: dt.date) -> dict[str, Any]:
    """A counter in the form of v1."""
    return {
        "id": counter.uid,
        "displayName": counter.name,
        "type": counter.type,
        "members": [member_of(member) for member in members],
        "data": data_of(counter, today),
    }


def data_of(counter: SharedCounter, today: dt.date) -> dict[str, Any] | None:
    """The ``data`` of a counter in v1."""
    if counter.type == "UpDown":
        return {"value": counter.value, "mode": counter.mode, **rules_of(counter)}
    assert counter.date is not None
    assert counter.day is not None
    data: dict[str, Any] = {"date": time(counter.date), "dateOnly": counter.day.isoformat()}
    days, beyond = days_of(counter, today), days_beyond(counter, today)
    if counter.type == "FromDate":
        data |= {"pastDays": days, "milestones": [_milestone(each) for each in milestones(counter, today)]}
        return data | ({"startsInDays": beyond} if beyond else {})
    return data | {"remainingDays": days} | ({"overdueDays": beyond} if beyond else {})


def rules_of(counter: SharedCounter) -> dict[str, Any]:
    """Rules beyond CountTogether's own API; those with their default value are left out."""
    rules: dict[str, Any] = {}
    if counter.goal is not None:
        rules["goal"] = counter.goal
    if not counter.allow_exceed:
        rules["allowExceed"] = False
    if counter.least is not None:
        rules["minValue"] = counter.least
    if counter.reset_value:
        rules["resetValue"] = counter.reset_value
    return rules


def value_of(counter: SharedCounter, today: dt.date) -> int:
    """The one number that v2 shows: the value, or days."""
    return counter.value if counter.type == "UpDown" else days_of(counter, today)


def flat(counter: SharedCounter, today: dt.date) -> dict[str, Any]:
    """A counter in the form of v2."""
    members = {
        "id": counter.uid,
        "name": counter.name,
        "type": counter.type,
        "value": value_of(counter, today),
        "created": time(counter.created // 1000 * 1000),
    }
    if counter.type == "UpDown":
        return members | rules_of(counter)
    assert counter.day is not None
    return members | {"startDate" if counter.type == "FromDate" else "endDate": counter.day.isoformat()}


def member_of(member: Member) -> dict[str, Any]:
    """A member, as counters list it."""
    return {"userId": member.uid, "displayName": member.name, "isAdmin": member.role == "admin"}


def member_with_role(member: Member) -> dict[str, Any]:
    """A member, in the form of the list of members."""
    return member_of(member) | {"role": member.role, "joinedAt": time(member.joined)}


def entry_of(entry: HistoryEntry) -> dict[str, Any]:
    """An entry of a counter's history."""
    actor = entry.actor
    members = {
        "offset": entry.number,
        "at": time(entry.at),
        "actor": None if actor is None else {"userId": actor.uid, "displayName": actor.name},
        "kind": entry.kind,
        "delta": entry.delta,
        "value": entry.value,
        "version": entry.version,
    }
    return members if entry.undoes is None else members | {"undoes": entry.undoes}


def invite_of(invite: Invite) -> dict[str, Any]:
    """An invite, without its code."""
    by = invite.by
    return {
        "id": invite.uid,
        "prefix": invite.prefix,
        "role": invite.role,
        "expiresAt": time(invite.expires),
        "maxUses": invite.max_uses,
        "uses": invite.uses,
        "createdBy": None if by is None else {"userId": by[0], "displayName": by[1]},
        "createdAt": time(invite.created),
    }


def token_of(token: Token) -> dict[str, Any]:
    """A token, without its secret."""
    return {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": [name for name, permission in SCOPES.items() if token.permissions & permission],
        "createdAt": time(token.created),
        "lastUsedAt": None if token.used is None else time(token.used),
    }


def _milestone(milestone: Milestone) -> dict[str, Any]:
    return {
        "days": milestone.days,
        "reached": milestone.reached,
        "remainingDays": milestone.left,
        "date": None if milestone.day is None else milestone.day.isoformat(),
    }
