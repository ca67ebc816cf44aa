"""What CountTogether's API says. Members that are not named here are ignored."""

import datetime as dt
from typing import Literal

from msgspec import Struct

CounterType = Literal["UpDown", "FromDate", "ToDate"]
Mode = Literal["OnlyUp", "OnlyDown", "UpAndDown"]
Role = Literal["admin", "member", "viewer"]
Scope = Literal["read", "write"]


_PERSON = {"user": "userId", "name": "displayName", "is_admin": "isAdmin", "joined_at": "joinedAt"}


class Milestone(Struct, frozen=True, rename="camel"):
    """A number of days after the start that is worth a word.

    Attributes:
        remaining_days: None once it is reached.
    """

    days: int
    reached: bool
    remaining_days: int | None = None
    date: dt.date | None = None


class Data(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a counter shows. UpDown has ``value`` and ``mode``; the others have dates and days.

    Attributes:
        date: the instant that FromDate counts from, or ToDate to.
        date_only: its calendar day.
        past_days, remaining_days: by the calendar of the time zone that was asked for; never below 0.
        starts_in_days, overdue_days: how far a counter of days is on the other side of its date; else 0.
        goal: that increments go to; beyond it only where ``allow_exceed`` says so.
        min_value: below which the value never falls.
        reset_value: what a reset sets.
    """

    value: int | None = None
    mode: str | None = None
    goal: int | None = None
    allow_exceed: bool = True
    min_value: int | None = None
    reset_value: int = 0
    date: dt.datetime | None = None
    date_only: dt.date | None = None
    past_days: int | None = None
    remaining_days: int | None = None
    starts_in_days: int = 0
    overdue_days: int = 0
    milestones: list[Milestone] = []

    @property
    def number(self) -> int | None:
        """The one number to show: the value, or days."""
        numbers = (self.value, self.past_days, self.remaining_days)
        return next((number for number in numbers if number is not None), None)


class Member(
    Struct, frozen=True, kw_only=True, rename={"user": "userId", "name": "displayName", "is_admin": "isAdmin"}
):
    """A person who shares a counter.

    Attributes:
        role, joined_at: told by ``members`` and ``set_role`` alone.
    """

    user: str
    name: str
    is_admin: bool = False
    role: str | None = None
    joined_at: dt.datetime | None = None


class Counter(Struct, frozen=True, kw_only=True, rename={"name": "displayName"}):
    """A counter and its people.

    Attributes:
        type: ``UpDown``, ``FromDate`` or ``ToDate``; others may come.
        data: None for a type that the server cannot tell of.
        etag: of this state, for ``edit``; only ``counter`` and ``edit`` tell it.
    """

    id: str
    name: str
    type: str
    members: list[Member] = []
    data: Data | None = None
    etag: str | None = None

    @property
    def value(self) -> int | None:
        """The one number to show: the value, or days."""
        return None if self.data is None else self.data.number


class Actor(Struct, frozen=True, rename=_PERSON):
    """Who did something, and what they are called now."""

    user: str
    name: str | None = None


class Entry(Struct, frozen=True, kw_only=True):
    """One change of a counter.

    Attributes:
        offset: its place among all changes; ``undo`` takes it.
        kind: ``created``, ``value`` or ``details``.
        actor: None when they are gone.
        delta: by how much the value changed; None when it was not about the value.
        value, version: right after it.
        undoes: offset of the change that it took back.
    """

    offset: int
    kind: str
    at: dt.datetime
    actor: Actor | None = None
    delta: int | None = None
    value: int | None = None
    version: int | None = None
    undoes: int | None = None


class Invite(Struct, frozen=True, kw_only=True, rename="camel"):
    """A way in.

    Attributes:
        code, url: told once, when it is made.
        prefix: the code's first characters, to recognise it by.
        max_uses: None for as many as come.
        created_by: None when they are gone.
    """

    id: str
    role: str
    expires_at: dt.datetime
    code: str | None = None
    url: str | None = None
    prefix: str | None = None
    max_uses: int | None = None
    uses: int = 0
    created_by: Actor | None = None


class Token(Struct, frozen=True, kw_only=True, rename="camel"):
    """A token for counters.

    Attributes:
        token: the secret; told once, when it is made or rotated.
        prefix: its first characters, to recognise it by.
    """

    id: int
    name: str
    scopes: list[str] = []
    token: str | None = None
    prefix: str | None = None
    created_at: dt.datetime | None = None
    last_used_at: dt.datetime | None = None
