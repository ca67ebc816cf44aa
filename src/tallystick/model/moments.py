"""Moments as programs write them (ISO 8601, RFC 3339), and the second that only some calendars have."""

import re
from datetime import UTC, datetime

_leap = re.compile(r"(:\d\d):60(?!\d)", re.ASCII)


def without_leap_second(text: str) -> tuple[str, int]:
    """A time without a 60th second, and how many seconds to add to it: a leap second is the second after it."""
    if ":60" not in text:
        return text, 0
    return _leap.subn(r"\1:59", text, count=1)


def unix_seconds(text: str) -> int:
    """Unix seconds of an ISO 8601 date or time; one without a zone is in UTC.

    Raises:
        ValueError: it is none.
    """
    plain, leap = without_leap_second(text)
    found = datetime.fromisoformat(plain)
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()) + leap
