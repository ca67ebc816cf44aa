"""Rate limits of public counters, shared by the surfaces that change them: keyed requests and new counters."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from tallystick.web.address import ClientAddresses, rate_limit_name
from tallystick.web.rate_limit import SHARED_FROM_S, Admission, Rate, RateLimits, Windows

KEYED = Rate("keyed", 600, 60, "changes of public counters with an Idempotency-Key, per address")
VISITORS = Rate("unique-visitors", 2_000, 3_600, "visitors that unique counters take an address for")
"""Who makes up browsers would be many visitors, each of which leaves a row."""
KEYED_AN_HOUR = 100_000
"""Requests with an ``Idempotency-Key``, from all addresses: each leaves a record for a day."""


IN_A_MINUTE = "counter-creations of a minute"
CREATIONS = Rate("counter-creations", 1_000, 60, "new public counters, per address and namespace")


class KeyedLimit:
    """Limits requests with an ``Idempotency-Key``, each of which leaves a record for a day.

    Args:
        limits: ``keyed`` counts by address; if that limit is off, so is the one for all addresses together.
        an_hour: requests from all addresses together.
    """

    def __init__(self, limits: RateLimits, addresses: ClientAddresses, an_hour: int = KEYED_AN_HOUR) -> None:
        self._limits, self._addresses = limits, addresses
        self._all = None if limits.in_force[KEYED.name].amount is None else Windows(an_hour, 3_600)

    def share(self) -> None:
        """Count the requests of all addresses together with the other servers (see ``RateLimits.hold_over_all``)."""
        if self._all is not None:
            self._limits.share("keyed of all", self._all)

    def admit(self, scope: Mapping[str, Any], weight: int = 1) -> Admission:
        """Take one request from the limit of the scope's client, then from that of all addresses.

        Args:
            weight: how many it counts as: for one with a large record.
        """
        admission = self._limits.admit_address(KEYED.name, self._addresses.of(scope), weight=weight)
        return self._all.admit(None, weight) if admission.admitted and self._all is not None else admission


class CreationLimit:
    """Limits new counters per second and client address (CountAPI contract, 1.4), and for longer in each namespace.

    Args:
        per_second: at least 1; 0 for no such limit.
        limits: ``counter-creations`` counts by address and namespace.
    """

    def __init__(self, per_second: int, limits: RateLimits) -> None:
        self._windows = Windows(per_second, 1.0) if per_second else None
        self._minutes: Windows | None = None
        self._limits = limits

    def share(self) -> None:
        """Hold the limit over all servers too, by the minute: a second is over before the others know of it.

        It is not counted in the transaction that creates the counter. Batches lock their lanes; that they lock windows
        of addresses besides, in any order, would make them wait for one another, and end some of them as deadlocks.
        """
        if self._windows is not None and self._limits.common is not None:
            self._minutes = Windows(SHARED_FROM_S * self._windows.amount, SHARED_FROM_S)
            self._limits.share(IN_A_MINUTE, self._minutes)

    def admit(self, address: IPv4Address | IPv6Address | None, namespace: str) -> bool:
        """Whether a client may create one more counter now. Called on any thread."""
        client, common = rate_limit_name(address), self._limits.common
        if self._windows is not None and not self._windows.admit(client).admitted:
            return False
        if self._minutes is None or common is None:
            in_time = True
        else:
            in_time = self._minutes.admit(common.digest(IN_A_MINUTE, client)).admitted
        return in_time and self._limits.admit_address(CREATIONS.name, address, namespace).admitted

    def wait(self, address: IPv4Address | IPv6Address | None, namespace: str) -> int:
        """Whole seconds after which a client that was refused may create a counter again; at least 1."""
        client, common = rate_limit_name(address), self._limits.common
        states = [self._limits.address_state(CREATIONS.name, address, namespace)]
        if self._windows is not None:
            states.append(self._windows.state(client))
        if self._minutes is not None and common is not None:
            states.append(self._minutes.state(common.digest(IN_A_MINUTE, client)))
        return max((1, *(state.wait for state in states if not state.admitted)))
