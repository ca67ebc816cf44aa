"""Times in logs: layouts as Go writes them (the moment 2006-01-02 15:04:05 -0700, spelled as the log spells it)."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from tallystick.errors import InputRefused

LAYOUTS = {
    "ansic": "Mon Jan _2 15:04:05 2006",
    "unix": "Mon Jan _2 15:04:05 MST 2006",
    "rfc822": "02 Jan 06 15:04 MST",
    "rfc822z": "02 Jan 06 15:04 -0700",
    "rfc850": "Monday, 02-Jan-06 15:04:05 MST",
    "rfc1123": "Mon, 02 Jan 2006 15:04:05 MST",
    "rfc1123z": "Mon, 02 Jan 2006 15:04:05 -0700",
    "rfc3339": "2006-01-02T15:04:05Z07:00",
    "rfc3339nano": "2006-01-02T15:04:05.999999999Z07:00",
}
UNITS = {"unix_sec": 1, "unix_milli": 1_000, "unix_nano": 1_000_000_000, "unix_sec_float": 1, "unix_milli_float": 1_000}
"""Parts of a second; all may have a fraction."""

ACCEPTED = f"write 2006-01-02 15:04:05 as the log would, or one of {', '.join([*LAYOUTS, *UNITS])}"

COMMON_LOG = "02/Jan/2006:15:04:05 -0700"

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
REMEMBERED = 4_096
YEAR_10000 = 253_402_300_800
LEAP_SECOND = 60
CENTURY_TURNS = 69
"""A year of two digits from here on is of the twentieth century."""

_ZONE = r"Z|UTC|GMT|[+-]\d\d(?::?\d\d)?"
"""However a layout spells the zone, servers spell it in one of these ways."""

ZONES = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
"""Abbreviations that mean one zone (RFC 822), in hours; what another one means depends on the country."""

_UNIX = r"-?\d{1,19}(?:\.\d{1,20})?"
_PARTS: dict[str, tuple[str, str]] = {
    "January": ("month_name", "[A-Za-z]{3,9}"),
    "Jan": ("month_name", "[A-Za-z]{3}"),
    "Monday": ("", "[A-Za-z]{6,9}"),
    "Mon": ("", "[A-Za-z]{3}"),
    "MST": ("zone", rf"[A-Z]{{1,5}}|{_ZONE}"),
    "2006": ("year", r"\d{4}"),
    **dict.fromkeys(("Z07:00", "Z0700", "Z07", "-07:00", "-0700", "-07"), ("zone", _ZONE)),
    "01": ("month", r"\d\d"),
    "02": ("day", r"\d\d"),
    "03": ("hour", r"\d\d"),
    "04": ("minute", r"\d\d"),
    # As in Go, seconds may have a fraction that the layout does not show.
    "05": ("second", r"\d\d(?:[.,]\d{1,9})?"),
    "06": ("short_year", r"\d\d"),
    "15": ("hour", r"\d\d"),
    "PM": ("half", "[AaPp][Mm]"),
    "pm": ("half", "[AaPp][Mm]"),
    "_2": ("day", r"[ \d]\d"),
    "1": ("month", r"\d\d?"),
    "2": ("day", r"\d\d?"),
    "3": ("hour", r"\d\d?"),
    "4": ("minute", r"\d\d?"),
    "5": ("second", r"\d\d?(?:[.,]\d{1,9})?"),
}
_token = re.compile("|".join([r"[.,](?:0+|9+)(?!\d)", *map(re.escape, _PARTS)]))


class TimeFormat(NamedTuple):
    """How a log spells a moment, a date or a time of day.

    Attributes:
        pattern: a regular expression without groups that matches its texts.
        parts: from a matching text to named numbers and words.
        names: of these.
    """

    pattern: str
    parts: Callable[[str], dict[str, str]]
    names: frozenset[str]

    def says(self, what: str) -> bool:
        """Whether it spells out a ``date``, a ``time``, or a ``datetime``, for which a day is enough."""
        if self.names & UNITS.keys():
            return True
        if what == "time":
            return "hour" in self.names
        return "day" in self.names and bool(self.names & {"month", "month_name"})


def time_format(layout: str) -> TimeFormat:
    """The format that a layout, or a layout's name, means.

    Raises:
        InputRefused: there is nothing of a time in it, or one thing twice.
    """
    if layout in UNITS:
        fits = re.compile(_UNIX, re.ASCII).fullmatch
        return TimeFormat(_UNIX, lambda text: {layout: text} if fits(text) else {}, frozenset({layout}))
    return _compiled(LAYOUTS.get(layout, layout))


def _compiled(layout: str) -> TimeFormat:
    pattern, groups, end = "", "", 0
    names: dict[str, str] = {}
    numbers = count()
    for found in _token.finditer(layout):
        literal = re.escape(layout[end : found.start()])
        name, part = _PARTS.get(found[0], ("", ""))  # a fraction belongs to the seconds before it
        group = f"g{next(numbers)}"
        names |= {group: name} if name else {}
        pattern += f"{literal}(?:{part})"
        groups += f"{literal}(?P<{group}>{part})"
        end = found.end()
    if not names or max(Counter(names.values()).values()) > 1:
        msg = f"{layout!r} is no layout of a time; {ACCEPTED}"
        raise InputRefused(msg)
    rest = re.escape(layout[end:])
    fits = re.compile(groups + rest, re.ASCII).fullmatch

    def parts(text: str) -> dict[str, str]:
        found = fits(text)
        return {name: found[group].strip() for group, name in names.items()} if found else {}

    return TimeFormat(pattern + rest, parts, frozenset(names.values()))


def moment(*given: tuple[TimeFormat, str]) -> int | None:
    """Unix seconds of what one text, or a date and a time together, say; None where they make no sense.

    What names no zone is UTC; nothing is before 1970.
    """
    parts: dict[str, str] = {}
    for form, text in given:
        found = form.parts(text)
        if not found:
            return None
        parts |= found
    try:
        seconds = _seconds(parts)
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < YEAR_10000 else None


def _seconds(parts: dict[str, str]) -> int:
    for name, per_second in UNITS.items():
        if name in parts:
            return int(parts[name].partition(".")[0]) // per_second
    second = int(re.split("[.,]", parts.get("second", "0"))[0])
    # A leap second has no number of its own: it is the second after it.
    leap = second == LEAP_SECOND
    return int(_datetime(parts, second - leap).timestamp()) + leap


def _datetime(parts: dict[str, str], second: int) -> datetime:
    return datetime(
        _year(parts),
        _month(parts),
        int(parts.get("day", 1)),
        _hour(parts),
        int(parts.get("minute", 0)),
        second,
        tzinfo=_zone(parts.get("zone", "Z")),
    )


def _year(parts: dict[str, str]) -> int:
    if "year" in parts:
        return int(parts["year"])
    short = int(parts["short_year"]) if "short_year" in parts else datetime.now(UTC).year % 100
    return short + (1900 if short >= CENTURY_TURNS else 2000)


def _month(parts: dict[str, str]) -> int:
    if "month_name" in parts:
        return MONTHS.index(parts["month_name"][:3].lower()) + 1
    return int(parts.get("month", 1))


def _hour(parts: dict[str, str]) -> int:
    hour = int(parts.get("hour", 0))
    if "half" in parts:
        return hour % 12 + (12 if parts["half"].lower() == "pm" else 0)
    return hour


@lru_cache(REMEMBERED)
def _zone(text: str) -> timezone:
    if text[0] not in "+-":
        return timezone(timedelta(hours=ZONES.get(text, 0)))
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
