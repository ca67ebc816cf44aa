"""Results of CountTogether's API. Members that are not listed here are ignored."""

import datetime as dt
from typing import Literal

from msgspec import Struct

CounterType = Literal["UpDown", "FromDate", "ToDate"]
Mode = Literal["OnlyUp", "OnlyDown", "UpAndDown"]
Role = Literal["admin", "member", "viewer"]
Scope = Literal["read", "write"]


_PERSON = {"user": "userId", "name": "displayName", "is_admin": "isAdmin", "joined_at": "joinedAt"}


class Milestone(Struct, frozen=True, rename="camel"):
    """A round number of days since the start.

    Attributes:
        remaining_days: None once it is reached.
    """

    days: int
    reached: bool
    remaining_days: int | None = None
    date: dt.date | None = None


class Data(Struct, frozen=True, kw_only=True, rename="camel"):
    """The data of a counter. UpDown has ``value`` and ``mode``; the other types have dates and days.

    Attributes:
        date: the instant that FromDate counts from, or ToDate to.
        date_only: its calendar day.
        past_days, remaining_days: by the calendar of the requested time zone; never below 0.
        starts_in_days: days until the start of a FromDate counter in the future; otherwise 0.
        overdue_days: days since the date of a ToDate counter in the past; otherwise 0.
        goal: increments stop at it unless ``allow_exceed`` is set.
        min_value: the lowest value.
        reset_value: the value that a reset sets.
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
    """A member of a counter.

    Attributes:
        role, joined_at: only in the results of ``members`` and ``set_role``.
    """

    user: str
    name: str
    is_admin: bool = False
    role: str | None = None
    joined_at: dt.datetime | None = None


class Counter(Struct, frozen=True, kw_only=True, rename={"name": "displayName"}):
    """A counter with its members.

    Attributes:
        type: ``UpDown``, ``FromDate`` or ``ToDate``; more may be added.
        data: None for a type that this client does not know.
        etag: of this state, for ``edit``; only in the results of ``counter`` and ``edit``.
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
    """The account that made a change, with its present name."""

    user: str
    name: str | None = None


class Entry(Struct, frozen=True, kw_only=True):
    """One change of a counter.

    Attributes:
        offset: number of the change, as ``undo`` takes it.
        kind: ``created``, ``value`` or ``details``.
        actor: None if the account was deleted.
        delta: by how much the value changed; None if something else changed.
        value, version: of the counter after the change.
        undoes: offset of the change that this one undid.
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
    """An invite to a counter.

    Attributes:
        code, url: only in the result of ``invite``.
        prefix: the code's first characters, to recognise it by.
        max_uses: None for no limit.
        created_by: None if the account was deleted.
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
        token: the secret; only in the results of ``create_token`` and ``rotate_token``.
        prefix: its first characters, to recognise it by.
    """

    id: int
    name: str
    scopes: list[str] = []
    token: str | None = None
    prefix: str | None = None
    created_at: dt.datetime | None = None
    last_used_at: dt.datetime | None = None
