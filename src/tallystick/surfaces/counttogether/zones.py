"""The time zone of a request's days: its ``timezone``, or the account's, or UTC."""

import asyncio
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from tallystick.errors import InputRefused
from tallystick.model.account import Account
from tallystick.services.zones import ZONES_KEPT, zone_named
from tallystick.surfaces.counttogether.errors import Malformed

PARAMETER = "timezone"
UTC = ZoneInfo("UTC")

_cached: dict[str, ZoneInfo] = {"UTC": UTC}


async def requested_zone(query: Mapping[str, str]) -> ZoneInfo | None:
    """Parse the zone in a request; None without one.

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
    if zone.key != name:  # a country in front is for settings alone
        msg = f"{name[:100]!r} is no time zone: write {zone.key}"
        raise Malformed(msg)
    return zone


def is_usual(query: Mapping[str, str]) -> bool:
    """Whether a query holds nothing but a zone that was requested before: then ``requested_zone`` accepts it."""
    name = query.get(PARAMETER)
    return not query or (name is not None and len(query) == 1 and name in _cached and _cached[name].key == name)


async def zone_of(query: Mapping[str, str], account: Account) -> ZoneInfo:
    """The zone in which a request's days are counted.

    Raises:
        Malformed: the request names a zone that does not exist.
    """
    requested = await requested_zone(query)
    if requested is not None:
        return requested
    try:
        return await _named(account.settings.timezone)
    except InputRefused:
        return UTC


async def _named(name: str) -> ZoneInfo:
    """The zone of a name. A zone that is not cached is read from a file, on a thread."""
    zone = _cached.get(name)
    if zone is None:
        zone = await asyncio.to_thread(zone_named, name)
        if len(_cached) >= ZONES_KEPT:
            _cached.clear()
        _cached[name] = zone
    return zone
