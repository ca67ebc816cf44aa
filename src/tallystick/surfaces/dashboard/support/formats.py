"""What a person has chosen for numbers, dates and times, of settings with the names and values of the contract."""

import re
from zoneinfo import ZoneInfo

from msgspec import Struct

from tallystick.model.account import UserSettings
from tallystick.services.zones import chosen_zone

UNCHOSEN = UserSettings()
"""A setting with its default leaves the matter to the language of the page, to the browser or to the site."""
NO_GROUPS = 1
"""The ``number_format`` of numbers without a thousands separator."""

_LAYOUT = {
    "2006": "yyyy",
    "06": "yy",
    "January": "MMMM",
    "Jan": "MMM",
    "01": "MM",
    "1": "M",
    "Monday": "EEEE",
    "Mon": "EEE",
    "02": "dd",
    "_2": "d",
    "2": "d",
}
"""The parts of a date in a layout of Go, and in a pattern of CLDR."""
_part = re.compile("|".join(sorted(_LAYOUT, key=len, reverse=True)))
_year_at_an_end = re.compile(r"^y+[^A-Za-z]*|[^A-Za-z]*y+$")


class Formats(Struct, frozen=True, kw_only=True):
    """How numbers, dates and times are written; the defaults leave it to the language.

    Attributes:
        group: what stands between thousands; empty for nothing, None as the language has it.
        date: a date, as a pattern of CLDR; empty as the language has it.
        twelve_hours: whether clocks show ``2:05 pm``.
        sunday_first: whether weeks begin on Sunday.
        zone: the time zone; None where none is chosen.
    """

    group: str | None = None
    date: str = ""
    twelve_hours: bool = False
    sunday_first: bool = False
    zone: ZoneInfo | None = None

    @property
    def short_date(self) -> str:
        """A date without its year."""
        return _year_at_an_end.sub("", self.date)

    @property
    def long_date(self) -> str:
        """A date with its weekday."""
        return self.date if not self.date or "E" in self.date else f"EEE, {self.date}"


AS_THE_LANGUAGE = Formats()


def formats_of(settings: UserSettings) -> Formats:
    """What a person has chosen. Reads a time zone from disk at first."""
    return Formats(
        group=_group(settings.number_format),
        date="" if settings.date_format == UNCHOSEN.date_format else date_pattern(settings.date_format),
        twelve_hours=settings.twelve_hours and not settings.twenty_four_hours,
        sunday_first=settings.sunday_starts_week,
        zone=chosen_zone(settings.timezone),
    )


def date_pattern(layout: str) -> str:
    """The pattern of CLDR for a layout of Go, such as ``2 Jan 2006``; empty unless it has day, month and year."""
    pattern, at = "", 0
    for found in _part.finditer(layout):
        pattern += _literal(layout[at : found.start()]) + _LAYOUT[found[0]]
        at = found.end()
    unquoted = re.sub("'[^']*'", "", pattern)
    return pattern + _literal(layout[at:]) if all(sign in unquoted for sign in "dMy") else ""


def _literal(text: str) -> str:
    """A text that is no part of a date, as patterns have it."""
    text = text.replace("'", "''")
    return f"'{text}'" if any(sign.isalpha() for sign in text) else text


def _group(number_format: int) -> str | None:
    if number_format == UNCHOSEN.number_format:
        return None
    return "" if number_format == NO_GROUPS else chr(number_format)
