"""Time zones by name."""

from functools import lru_cache
from zoneinfo import ZoneInfo

from tallystick.errors import InputRefused

ZONES_KEPT = 1_000
"""More than there are."""


@lru_cache(ZONES_KEPT)
def zone_named(name: str) -> ZoneInfo:
    """A time zone by its IANA name, or as settings of people spell it (``CC.Zone``). Reads a file the first time.

    Raises:
        InputRefused: there is no such zone.
    """
    zone = name.partition(".")[2] or name
    try:
        # Beside the zones lie others of the machine's own, like posixrules and right/UTC, which is 27 seconds off.
        return ZoneInfo(zone if zone[:1].isupper() else "")
    except (ValueError, KeyError, OSError) as error:
        msg = f"{name[:100]!r} is no time zone: one is called Europe/Berlin, for example"
        raise InputRefused(msg) from error
