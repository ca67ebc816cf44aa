"""Where a day begins: the time zone that is asked for, else the person's, else UTC."""

import asyncio
import datetime as dt
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from tallystick.errors import InputRefused
from tallystick.model.account import Account
from tallystick.services.zones import ZONES_KEPT, zone_named
from tallystick.surfaces.counttogether.errors import Malformed

PARAMETER = "timezone"
UTC = ZoneInfo("UTC")

_known: dict[str, ZoneInfo] = {"UTC": UTC}


async def zone_asked(query: Mapping[str, str]) -> ZoneInfo | None:
    """The zone that a request asks for; None when it does not.

    Raises:
        Malformed: there is no such zone.
    """
    name = query.get(PARAMETER)
    if name is None:
        return None
    try:
        zone = await _named(name)
    except InputRefused as error:
        raise Malformed(str(error)) from error
    if zone.key != name:  # a country stands in front, as settings have it
        msg = f"{name[:100]!r} is no time zone: write {zone.key}"
        raise Malformed(msg)
    return zone


async def zone_of(query: Mapping[str, str], account: Account) -> ZoneInfo:
    """The zone in which a request's days are counted.

    Raises:
        Malformed: it asks for one that there is not.
    """
    asked = await zone_asked(query)
    if asked is not None:
        return asked
    try:
        return await _named(account.settings.timezone)
    except InputRefused:
        return UTC


def today_in(zone: ZoneInfo, now: int) -> dt.date:
    """The date there.

    Args:
        now: Unix milliseconds.
    """
    return datetime.fromtimestamp(now / 1000, zone).date()


async def _named(name: str) -> ZoneInfo:
    """A zone is read from a file when it is first named, so that happens on a thread."""
    zone = _known.get(name)
    if zone is None:
        zone = await asyncio.to_thread(zone_named, name)
        if len(_known) >= ZONES_KEPT:
            _known.clear()
        _known[name] = zone
    return zone
