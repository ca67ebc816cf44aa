"""Counters that people share: what they are, and the rules about days (CountTogether contract, 1.5 and 1.11).

Their numbers follow ``model.counter``; what is decided on top of that (roles, modes, goals) is in ``model.sharing``.
"""

import datetime as dt
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from tallystick.model.key import Key

CounterType = Literal["UpDown", "FromDate", "ToDate"]
Mode = Literal["OnlyUp", "OnlyDown", "UpAndDown"]
Role = Literal["admin", "member", "viewer"]
"""A viewer sees, a member counts too, an admin decides about the counter and its people."""

NAMESPACE = ":shared"
"""Of their numbers in the ledger; no public address can spell it."""

MILESTONES = (7, 10, 14, 21, 30, 50, 100)
"""Days after the start that are worth a word."""

LAST_DAY = dt.date.max


class SharedCounter(Struct, frozen=True, kw_only=True):
    """A counter as it was last committed. Times are Unix milliseconds.

    Attributes:
        id: ours; clients never see it.
        uid: UUID v7 in lower case.
        mode: None for counters of days.
        date: the instant of a counter of days; None for UpDown.
        day: its calendar day, from which days are counted in every time zone.
        goal: None for none.
        allow_exceed: whether an increment may pass the goal.
        least: the value never falls below; None for no such limit.
        reset_value: what a reset sets, where ``least`` allows it; else a reset sets that.
        value: signed 64-bit; 0 for counters of days.
        version: rises by one with every change of the counter.
    """

    id: int
    uid: str
    name: str
    type: CounterType
    mode: Mode | None = None
    date: int | None = None
    day: dt.date | None = None
    goal: int | None = None
    allow_exceed: bool = True
    least: int | None = None
    reset_value: int = 0
    created: int
    value: int
    version: int


class Member(Struct, frozen=True, kw_only=True):
    """A person's tie to a counter.

    Attributes:
        account: ours; clients never see it.
        uid: UUID v4 of the person.
        name: what the person is called now; never empty.
        joined: Unix milliseconds.
    """

    account: int
    uid: str
    name: str
    role: Role
    joined: int


class Milestone(Struct, frozen=True):
    """A number of days after the start.

    Attributes:
        left: days until then; None once it is reached.
        day: when it is; None beyond the last day that there is.
    """

    days: int
    reached: bool
    left: int | None
    day: dt.date | None


def number_key(uid: str) -> Key:
    """Where the number of a shared counter lies in the ledger."""
    return Key(NAMESPACE, uid)


def days_of(counter: SharedCounter, today: dt.date) -> int:
    """What a counter of days shows: elapsed or remaining calendar days, never below 0.

    Args:
        today: in the time zone of whoever looks. The start day is day 0.
    """
    return max(0, _days(counter, today))


def days_beyond(counter: SharedCounter, today: dt.date) -> int:
    """How long a ToDate counter is over, or how long a FromDate counter has still not begun; else 0."""
    return max(0, -_days(counter, today))


def milestones(counter: SharedCounter, today: dt.date) -> list[Milestone]:
    """The milestones of a FromDate counter."""
    assert counter.day is not None
    elapsed = _days(counter, today)
    return [
        Milestone(
            days=days,
            reached=elapsed >= days,
            left=None if elapsed >= days else days - elapsed,
            day=counter.day + timedelta(days) if (LAST_DAY - counter.day).days >= days else None,
        )
        for days in MILESTONES
    ]


def _days(counter: SharedCounter, today: dt.date) -> int:
    assert counter.day is not None
    difference = today - counter.day if counter.type == "FromDate" else counter.day - today
    return difference.days
