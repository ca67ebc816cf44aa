"""Country and region of an address, from built-in data or from the operator's MaxMind database."""

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
    """Country (ISO 3166-1 alpha-2) and region (the part of ISO 3166-2 after the dash); empty if unknown."""

    country: str
    region: str


NOWHERE = Location("", "")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_REGION = re.compile(r"[A-Za-z0-9]{1,3}")


@lru_cache(LOCATIONS_CACHED)
def location_of(code: str) -> Location:
    """The location for a code such as ``US-TX`` or ``NL``; ``NOWHERE`` for other texts."""
    country, _, region = code.strip().partition("-")
    if not _COUNTRY.fullmatch(country):
        return NOWHERE
    return Location(country.upper(), region.upper() if _REGION.fullmatch(region) else "")


class Countries:
    """Locates addresses. The constructor blocks; look-ups do not.

    Args:
        geodb: a MaxMind database of cities; without it only countries are known.

    Raises:
        InvalidSetting: the database cannot be read.
    """

    def __init__(self, geodb: Path | None = None) -> None:
        self._get = _opened(geodb) if geodb else None
        _country_code()
        # Cached by the packed bytes, which are faster to create and compare than address objects.
        self._located = lru_cache(LOCATIONS_CACHED)(self._look_up)

    @property
    def has_database(self) -> bool:
        """Whether the operator gave a database; otherwise addresses have a country and no region."""
        return self._get is not None

    def locate(self, address: Address) -> Location:
        """The location of an address: from the operator's database, else the country from the built-in data."""
        return self._located(address.packed)

    def _look_up(self, packed: bytes) -> Location:
        text = str(ip_address(packed))
        location = _read(self._get(text)) if self._get else NOWHERE
        return location if location.country else Location(_country_code()(text) or "", "")


def _opened(geodb: Path) -> Callable[[str], Any]:
    import maxminddb  # noqa: PLC0415  # only where there is a database

    try:
        # In memory: look-ups run on the event loop and must not wait for a disk.
        reader = maxminddb.open_database(geodb, maxminddb.MODE_MEMORY)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        msg = f"--geodb {geodb} cannot be read as a MaxMind database: {error}"
        raise InvalidSetting(msg) from error

    def get(text: str) -> Any:  # noqa: ANN401  # whatever the database holds
        try:
            return reader.get(text)
        except (ValueError, maxminddb.InvalidDatabaseError):
            # An IPv6 address with a database of IPv4, or a damaged record.
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
