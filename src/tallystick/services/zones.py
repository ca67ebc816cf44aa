"""Time zones by name."""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

from tallystick.errors import InputRefused

ZONES_KEPT = 1_000
"""More than exist."""


@lru_cache(ZONES_KEPT)
def zone_named(name: str) -> ZoneInfo:
    """A time zone by its IANA name, or in the form of people's settings (``CC.Zone``). Reads a file at first.

    Raises:
        InputRefused: the zone does not exist.
    """
    zone = name.partition(".")[2] or name
    try:
        # The directory of zones has other files too, like posixrules and right/UTC, which is 27 seconds off.
        return ZoneInfo(zone if zone[:1].isupper() else "")
    except (ValueError, KeyError, OSError) as error:
        msg = f"{name[:100]!r} is no time zone: one is called Europe/Berlin, for example"
        raise InputRefused(msg) from error


def today_in(zone: ZoneInfo, now: int) -> dt.date:
    """The date in a zone.

    Args:
        now: Unix milliseconds.
    """
    return dt.datetime.fromtimestamp(now / 1000, zone).date()
