"""Shared counters, their members, and the rules of date counters (CountTogether contract, 1.5 and 1.11).

Their values follow ``model.counter``; roles, modes and goals are in ``model.sharing``.
"""

import datetime as dt
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from tallystick.model.key import Key

CounterType = Literal["UpDown", "FromDate", "ToDate"]
Mode = Literal["OnlyUp", "OnlyDown", "UpAndDown"]
Role = Literal["admin", "member", "viewer"]
"""A viewer reads, a member also counts, an admin also manages the counter and its members."""

NAMESPACE = ":shared"
"""The namespace of their values in the ledger; it is illegal in public addresses."""

MILESTONES = (7, 10, 14, 21, 30, 50, 100)
"""Days after the start that are milestones."""

LAST_DAY = dt.date.max


class SharedCounter(Struct, frozen=True, kw_only=True):
    """A counter as it was last committed. Times are Unix milliseconds.

    Attributes:
        id: internal; clients never see it.
        uid: UUID v7 in lower case.
        mode: None for date counters.
        date: the instant of a date counter; None for UpDown.
        day: the calendar day of a date counter, from which days are counted in every time zone.
        goal: None without one.
        allow_exceed: whether an increment may pass the goal.
        least: the lowest allowed value; None without a limit.
        reset_value: the value after a reset, unless ``least`` is greater.
        value: signed 64-bit; 0 for date counters.
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
    """A person's membership of a counter.

    Attributes:
        account: internal id; clients never see it.
        uid: UUID v4 of the person.
        name: the person's current name; never empty.
        joined: Unix milliseconds.
    """

    account: int
    uid: str
    name: str
    role: Role
    joined: int


class Milestone(Struct, frozen=True):
    """A number of days after the start of a date counter.

    Attributes:
        left: days until the milestone; None once it is reached.
        day: the milestone's date; None beyond the year 9999.
    """

    days: int
    reached: bool
    left: int | None
    day: dt.date | None


def number_key(uid: str) -> Key:
    """The key of a shared counter's value in the ledger."""
    return Key(NAMESPACE, uid)


def days_of(counter: SharedCounter, today: dt.date) -> int:
    """The value of a date counter: elapsed or remaining calendar days, never below 0. The start day is day 0.

    Args:
        today: the date in the reader's time zone.
    """
    return max(0, _days(counter, today))


def days_beyond(counter: SharedCounter, today: dt.date) -> int:
    """Days since the end of a ToDate counter, or until the start of a FromDate counter; else 0."""
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
