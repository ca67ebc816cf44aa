"""Checks the details of a shared counter: name, dates, mode and limits. Pure rules."""

import datetime as dt
import unicodedata
from datetime import UTC, timedelta
from typing import get_args

from msgspec.structs import replace

from tallystick.errors import SharingReason, SharingRefused
from tallystick.model.line import line_problems
from tallystick.model.shared_counter import CounterType, Mode, SharedCounter
from tallystick.model.sharing import in_range

SHORTEST_NAME, LONGEST_NAME = 5, 40
"""Code points of a name."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def clean_name(text: str) -> str:
    """A counter's name as it is stored: without surrounding spaces, in normal form C.

    Raises:
        SharingRefused: NAME_LENGTH.
    """
    name = unicodedata.normalize("NFC", text.strip())
    # The rule is that of lines, not a stricter one: emoji need joiners, for example.
    if len(name) < SHORTEST_NAME or line_problems(name, LONGEST_NAME):
        raise SharingRefused(
            SharingReason.NAME_LENGTH,
            f"a counter's name has {SHORTEST_NAME} to {LONGEST_NAME} characters, and neither control characters nor "
            "invisible ones",
        )
    return name


def checked(counter: SharedCounter) -> SharedCounter:
    """Check a counter's details and complete them: of ``date`` and ``day`` each is derived from the other.

    Raises:
        SharingRefused: a detail is invalid; the reason says which.
    """
    named = replace(counter, name=clean_name(counter.name))
    if named.type not in get_args(CounterType):
        raise SharingRefused(SharingReason.UNKNOWN_TYPE, f"a type is one of {', '.join(get_args(CounterType))}")
    if named.type == "UpDown":
        _check_counting(named)
        return named
    _refuse_counting(named)
    return _dated(named)


def instant_of(kind: CounterType, day: dt.date) -> int:
    """The instant for a day, in UTC: its first second for a FromDate counter, its last for a ToDate counter."""
    start = dt.datetime.combine(day, dt.time(), UTC) - _EPOCH
    return start // _MS + (0 if kind == "FromDate" else 86_399_000)


def _check_counting(counter: SharedCounter) -> None:
    if counter.mode not in get_args(Mode):
        raise SharingRefused(SharingReason.INVALID_MODE, f"a mode is one of {', '.join(get_args(Mode))}")
    if counter.date is not None or counter.day is not None:
        raise SharingRefused(SharingReason.INVALID_DATA, "an UpDown counter has no date")
    values = [counter.value, counter.reset_value, counter.goal, counter.least]
    if not all(value is None or in_range(value) for value in values):
        raise SharingRefused(SharingReason.OUT_OF_RANGE, "values must fit into 64 bits")
    if counter.least is not None and counter.value < counter.least:
        raise SharingRefused(SharingReason.OUT_OF_RANGE, f"the value may not fall below {counter.least}")


def _refuse_counting(counter: SharedCounter) -> None:
    if counter.mode is not None:
        raise SharingRefused(SharingReason.INVALID_MODE, f"a {counter.type} counter has no mode")
    set_off = counter.value or counter.reset_value or not counter.allow_exceed
    if set_off or counter.goal is not None or counter.least is not None:
        raise SharingRefused(
            SharingReason.INVALID_DATA, f"a {counter.type} counter has a date, and no value of its own"
        )


def _dated(counter: SharedCounter) -> SharedCounter:
    reason = SharingReason.INVALID_START_DATE if counter.type == "FromDate" else SharingReason.INVALID_END_DATE
    if counter.day is not None:
        date = instant_of(counter.type, counter.day) if counter.date is None else counter.date
        return replace(counter, date=date)
    if counter.date is None:
        raise SharingRefused(reason, f"a {counter.type} counter needs a date")
    try:
        return replace(counter, day=(_EPOCH + counter.date * _MS).date())
    except OverflowError as error:
        raise SharingRefused(reason, "the date must be before the year 10000") from error
