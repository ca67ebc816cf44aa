"""Dates as clients write them."""

import datetime as dt
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tallystick.errors import SharingReason, SharingRefused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_day = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
_moment = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d)?", re.ASCII
).fullmatch


class WrittenDate(NamedTuple):
    """A parsed date.

    Attributes:
        instant: Unix milliseconds; None for a day without a time.
        day: the day as written, in the time zone of the text.
    """

    instant: int | None
    day: dt.date


def date_of(text: str, reason: SharingReason) -> WrittenDate:
    """Parse ``YYYY-MM-DD``, or ISO 8601 with a time; a time without an offset is in UTC.

    Raises:
        SharingRefused: it is neither; with ``reason``.
    """
    try:
        if _day(text):
            return WrittenDate(None, dt.date.fromisoformat(text))
        if _moment(text):
            moment = datetime.fromisoformat(text.upper())
            # The year must have four digits in UTC too: else the instant could be stored but not written.
            utc = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
            return WrittenDate((utc - _EPOCH) // timedelta(milliseconds=1), moment.date())
    except (ValueError, OverflowError):
        pass
    msg = f"{text[:50]!r} is no date: write YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ"
    raise SharingRefused(reason, msg)


def day_of(text: str, reason: SharingReason) -> dt.date:
    """Parse a day without a time.

    Raises:
        SharingRefused: the text is anything else.
    """
    date = date_of(text, reason)
    if date.instant is not None:
        msg = f"{text[:50]!r} has a time; write YYYY-MM-DD"
        raise SharingRefused(reason, msg)
    return date.day
