"""Country and region of an address: from built-in data, or from a MaxMind database that the operator names."""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, NamedTuple

from tallystick.errors import InvalidSetting

LOCATIONS_CACHED = 20_000

Address = IPv4Address | IPv6Address


class Location(NamedTuple):
    """Country: ISO 3166-1 alpha-2; region: the part of ISO 3166-2 behind the dash. Empty where not known."""

    country: str
    region: str


NOWHERE = Location("", "")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_REGION = re.compile(r"[A-Za-z0-9]{1,3}")


@lru_cache(LOCATIONS_CACHED)
def location_of(code: str) -> Location:
    """Read ``US-TX`` or ``NL``; what is no such code is nowhere."""
    country, _, region = code.strip().partition("-")
    if not _COUNTRY.fullmatch(country):
        return NOWHERE
    return Location(country.upper(), region.upper() if _REGION.fullmatch(region) else "")


class Countries:
    """Where addresses are. Opening blocks; looking up does not.

    Args:
        geodb: a MaxMind database of cities; without it there are countries only.

    Raises:
        InvalidSetting: the database cannot be read.
    """

    def __init__(self, geodb: Path | None = None) -> None:
        self._get = _opened(geodb) if geodb else None
        _country_code()
        # By its bytes: those are made and compared faster than an address.
        self._located = lru_cache(LOCATIONS_CACHED)(self._look_up)

    def locate(self, address: Address) -> Location:
        """Where an address is; what the operator's database does not know, the built-in data may."""
        return self._located(address.packed)

    def _look_up(self, packed: bytes) -> Location:
        text = str(ip_address(packed))
        found = _read(self._get(text)) if self._get else NOWHERE
        return found if found.country else Location(_country_code()(text) or "", "")


def _opened(geodb: Path) -> Callable[[str], Any]:
    import maxminddb  # noqa: PLC0415  # only where there is a database

    try:
        # In memory: a look-up happens on the event loop and may not wait for a disk.
        reader = maxminddb.open_database(geodb, maxminddb.MODE_MEMORY)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        msg = f"--geodb {geodb} cannot be read as a MaxMind database: {error}"
        raise InvalidSetting(msg) from error

    def get(text: str) -> Any:  # noqa: ANN401  # whatever the database holds
        try:
            return reader.get(text)
        except (ValueError, maxminddb.InvalidDatabaseError):
            # An IPv6 address in a database of IPv4, or a damaged record.
            return None

    return get


def _read(record: Any) -> Location:  # noqa: ANN401
    if not isinstance(record, dict):
        return NOWHERE
    country = _code(record.get("country") or record.get("registered_country"))
    divisions = record.get("subdivisions")
    region = _code(divisions[0]) if isinstance(divisions, list) and divisions else ""
    return location_of(f"{country}-{region}")


def _code(part: Any) -> str:  # noqa: ANN401
    code = part.get("iso_code") if isinstance(part, dict) else None
    return code if isinstance(code, str) else ""


@cache
def _country_code() -> Callable[[str], str | None]:
    import iptocc  # noqa: PLC0415  # brings its data; the command line rarely needs it

    return iptocc.country_code
