"""Time zones by name."""

import datetime as dt
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from tallystick.errors import InputRefused
from tallystick.model.account import UserSettings

ZONES_KEPT = 1_000
"""More than exist."""
_UTC = ZoneInfo("UTC")


@lru_cache(ZONES_KEPT)
def zone_named(name: str) -> ZoneInfo:
    """A time zone by its IANA name, or in the form of people's settings (``CC.Zone``). Reads a file at first.

    Raises:
        InputRefused: the zone does not exist.
    """
    zone = name.partition(".")[2] or name
    try:
        # The directory of zones has other files too, like posixrules and right/UTC, which is 27 seconds off. Factory
        # stands for a machine whose zone nobody has set.
        return ZoneInfo(zone if zone[:1].isupper() and zone != "Factory" else "")
    except (ValueError, KeyError, OSError) as error:
        msg = f"{name[:100]!r} is no time zone: one is called Europe/Berlin, for example"
        raise InputRefused(msg) from error


def is_zone(name: str) -> bool:
    """Whether a time zone exists. Reads a file at first."""
    try:
        zone_named(name)
    except InputRefused:
        return False
    return True


def chosen_zone(name: str) -> ZoneInfo | None:
    """The time zone of a person's settings. Reads a file at first.

    Returns:
        None while the settings have the default, and where the zone does not exist any more.
    """
    if name == UserSettings().timezone:
        return None
    try:
        return zone_named(name)
    except InputRefused:
        return None


def zone_of_days(name: str) -> ZoneInfo:
    """The zone whose dates a site or a person goes by; UTC where it does not exist any more. Reads a file at first."""
    return chosen_zone(name) or _UTC


@cache
def zones_of_countries() -> tuple[tuple[str, str], ...]:
    """The time zones that people live in, each with the code of its country, by name. Reads a file at first."""
    lines = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return tuple(sorted(((row[0], row[2]) for row in rows), key=lambda pair: pair[1]))


def today_in(zone: ZoneInfo, now: int) -> dt.date:
    """The date in a zone.

    Args:
        now: Unix milliseconds.
    """
    return dt.datetime.fromtimestamp(now / 1000, zone).date()
