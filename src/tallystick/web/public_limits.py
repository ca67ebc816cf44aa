"""Rate limits of public counters, shared by the surfaces that change them: keyed requests and new counters."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from tallystick.web.address import ClientAddresses, rate_limit_name
from tallystick.web.rate_limit import Admission, Rate, RateLimits, Windows

KEYED = Rate("keyed", 600, 60, "changes of public counters with an Idempotency-Key, per address")
KEYED_AN_HOUR = 100_000
"""Requests with an ``Idempotency-Key``, from all addresses: each leaves a record for a day."""


class KeyedLimit:
    """Limits requests with an ``Idempotency-Key``, each of which leaves a record for a day.

    Args:
        limits: ``keyed`` counts by address; if that limit is off, so is the one for all addresses together.
        an_hour: requests from all addresses together.
    """

    def __init__(self, limits: RateLimits, addresses: ClientAddresses, an_hour: int = KEYED_AN_HOUR) -> None:
        self._limits, self._addresses = limits, addresses
        self._all = None if limits.in_force[KEYED.name].amount is None else Windows(an_hour, 3_600)

    def admit(self, scope: Mapping[str, Any], weight: int = 1) -> Admission:
        """Take one request from the limit of the scope's client, then from that of all addresses.

        Args:
            weight: how many it counts as: for one with a large record.
        """
        admission = self._limits.admit_address(KEYED.name, self._addresses.of(scope), weight=weight)
        return self._all.admit(None, weight) if admission.admitted and self._all is not None else admission


class CreationLimit:
    """Limits new counters per second and client address (CountAPI contract, 1.4).

    Args:
        per_second: at least 1.
    """

    def __init__(self, per_second: int) -> None:
        self._windows = Windows(per_second, 1.0)

    def admit(self, address: IPv4Address | IPv6Address | None) -> bool:
        """Whether a client may create one more counter now. Called on any thread."""
        return self._windows.admit(rate_limit_name(address)).admitted
