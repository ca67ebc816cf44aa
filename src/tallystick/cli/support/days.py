"""Days that options name: ``--start 2026-01-01 --end 2026-01-31``."""

import datetime as dt
from collections.abc import Callable

from tallystick.errors import InputRefused


def first_and_last_day(
    start: str | None, end: str | None, usual_first: Callable[[dt.date], dt.date]
) -> tuple[dt.date, dt.date]:
    """The days of ``--start`` and ``--end``; without ``--end`` the last one is today, in UTC.

    Args:
        usual_first: the first day without ``--start``, given the last one.

    Raises:
        InputRefused: an option is no day, or the first day is after the last.
    """
    last = _day("--end", end) if end else dt.datetime.now(dt.UTC).date()
    first = _day("--start", start) if start else usual_first(last)
    if first > last:
        msg = f"--start {first} is after --end {last}"
        raise InputRefused(msg)
    return first, last


def _day(option: str, text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        msg = f"{option} accepts a day such as 2026-01-31, not {text!r}"
        raise InputRefused(msg) from error
