"""Reads times in ISO 8601 and RFC 3339, including leap seconds."""

import re
from datetime import UTC, datetime

_leap = re.compile(r"(:\d\d):60(?!\d)", re.ASCII)


def without_leap_second(text: str) -> tuple[str, int]:
    """The time with a leap second (``:60``) replaced by ``:59``, and the seconds to add to it (1, or 0 without one)."""
    if ":60" not in text:
        return text, 0
    return _leap.subn(r"\1:59", text, count=1)


def unix_seconds(text: str) -> int:
    """Unix seconds of an ISO 8601 date or time; without a zone it is UTC.

    Raises:
        ValueError: the text is not a date or time.
    """
    plain, leap = without_leap_second(text)
    moment = datetime.fromisoformat(plain)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) + leap
