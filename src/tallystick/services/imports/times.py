"""Reads times in logs by layouts in Go's notation: the moment 2006-01-02 15:04:05 -0700, written as the log would."""

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
"""Parts of a second; all of them may have a fraction."""

ACCEPTED = f"write 2006-01-02 15:04:05 as the log would, or one of {', '.join([*LAYOUTS, *UNITS])}"

COMMON_LOG = "02/Jan/2006:15:04:05 -0700"

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
REMEMBERED = 4_096
YEAR_10000 = 253_402_300_800
LEAP_SECOND = 60
CENTURY_TURNS = 69
"""Two-digit years from here on are of the twentieth century."""

_ZONE = r"Z|UTC|GMT|[+-]\d\d(?::?\d\d)?"
"""Servers write zones in one of these ways, whatever the layout says."""

ZONES = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
"""Unambiguous abbreviations of zones (RFC 822), in hours; the meaning of others depends on the country."""

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
    # As in Go, seconds may have a fraction that the layout does not have.
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
    """The format of a moment, a date or a time of day.

    Attributes:
        pattern: a regular expression without groups that matches the texts.
        parts: reads the named parts of a text; empty for a text that does not match.
        names: the names of the parts.
    """

    pattern: str
    parts: Callable[[str], dict[str, str]]
    names: frozenset[str]

    def says(self, what: str) -> bool:
        """Whether the format has all parts of a ``date``, a ``time``, or a ``datetime`` (for which a day is enough)."""
        if self.names & UNITS.keys():
            return True
        if what == "time":
            return "hour" in self.names
        return "day" in self.names and bool(self.names & {"month", "month_name"})


def time_format(layout: str) -> TimeFormat:
    """The format of a layout, or of a layout's name.

    Raises:
        InputRefused: the layout has no part of a time, or one part twice.
    """
    if layout in UNITS:
        fits = re.compile(_UNIX, re.ASCII).fullmatch
        return TimeFormat(_UNIX, lambda text: {layout: text} if fits(text) else {}, frozenset({layout}))
    return _compiled(LAYOUTS.get(layout, layout))


def _compiled(layout: str) -> TimeFormat:
    pattern, groups, end = "", "", 0
    names: dict[str, str] = {}
    numbers = count()
    for token in _token.finditer(layout):
        literal = re.escape(layout[end : token.start()])
        name, part = _PARTS.get(token[0], ("", ""))  # a fraction belongs to the seconds before it
        group = f"g{next(numbers)}"
        names |= {group: name} if name else {}
        pattern += f"{literal}(?:{part})"
        groups += f"{literal}(?P<{group}>{part})"
        end = token.end()
    if not names or max(Counter(names.values()).values()) > 1:
        msg = f"{layout!r} is not a layout of a time; {ACCEPTED}"
        raise InputRefused(msg)
    rest = re.escape(layout[end:])
    fits = re.compile(groups + rest, re.ASCII).fullmatch

    def parts(text: str) -> dict[str, str]:
        match = fits(text)
        return {name: match[group].strip() for group, name in names.items()} if match else {}

    return TimeFormat(pattern + rest, parts, frozenset(names.values()))


def moment(*given: tuple[TimeFormat, str]) -> int | None:
    """Unix seconds of one text, or of a date and a time together; None if they are invalid or before 1970.

    A time without a zone is UTC.
    """
    parts: dict[str, str] = {}
    for form, text in given:
        text_parts = form.parts(text)
        if not text_parts:
            return None
        parts |= text_parts
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
    # A leap second has no Unix time of its own: it is counted as the next second.
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
