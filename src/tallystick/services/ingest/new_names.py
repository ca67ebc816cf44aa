"""Limits how many new paths, campaigns, referrers, hosts and URL parameters an address may add to a site in a while.

Names are kept for good, so their number has to be limited. Beyond the limit hits are still counted, under names that
say why. Servers and imports, which have a token, are not limited.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from tallystick.services.analytics.names import Names
from tallystick.services.ingest.arrival import Arrival
from tallystick.services.ingest.parts import PagePart

TOO_MANY_PATHS = "/(too many new paths)"
TOO_MANY_EVENTS = "(too many new events)"
TOO_MANY_CAMPAIGNS = "(too many new campaigns)"
TOO_MANY_REFERRERS = "(too many new referrers)"

REFERRERS_REMEMBERED = 100_000
"""Hashes of known referrers, hosts and parameters, about 10 MB. Beyond it the older half is forgotten."""

Admits = Callable[[int, IPv4Address | IPv6Address | None], bool]
"""Uses up one of the new names that a site accepts from an address; False if none is left."""


Sourced = Arrival | PagePart


class NewNames:
    """Replaces new names beyond the limit. Used from one event loop."""

    def __init__(self, names: Names, admits: Admits) -> None:
        self._names, self._admits = names, admits
        self._referrers: dict[int, None] = {}

    def bound_sources(self, site: int, arrival: Arrival) -> None:
        """Replace what is new beyond the limit: a referrer, or the page's host and the parameters of its URL.

        They are new if they were not seen since the server's start.
        """
        if arrival.ref and not self._is_known(_referrer(site, arrival)) and arrival.ref_scheme != "g":
            if self._admitted(site, arrival):
                self._remember(_referrer(site, arrival))
            else:
                arrival.ref, arrival.ref_scheme = TOO_MANY_REFERRERS, "o"
                arrival.source, arrival.channel = TOO_MANY_REFERRERS, ""
        if (details := _details(site, arrival)) and not self._is_known(details):
            if self._admitted(site, arrival):
                self._remember(details)
            else:
                arrival.source = TOO_MANY_REFERRERS if arrival.utm_source else arrival.source
                arrival.host = arrival.utm_source = arrival.utm_medium = arrival.utm_content = arrival.utm_term = ""

    def knows_sources(self, site: int, hit: Sourced) -> bool:
        """Whether nothing that ``bound_sources`` limits is new."""
        details = _details(site, hit)
        return (not hit.ref or self._is_known(_referrer(site, hit)) or hit.ref_scheme == "g") and (
            not details or self._is_known(details)
        )

    def _is_known(self, name: int) -> bool:
        return name in self._referrers

    def _remember(self, name: int) -> None:
        if len(self._referrers) >= REFERRERS_REMEMBERED:
            for known in list(self._referrers)[: REFERRERS_REMEMBERED // 2]:
                del self._referrers[known]
        self._referrers[name] = None

    async def bound_names(self, site: int, arrival: Arrival) -> None:
        """Replace a new path, event, campaign or page of an event beyond the limit.

        Raises:
            StoreUnavailable: existing names cannot be read from the ledger.
        """
        new_path, new_campaign = await self._names.missing(site, arrival.path, arrival.campaign)
        if new_path and not self._admitted(site, arrival):
            arrival.path, arrival.title = TOO_MANY_EVENTS if arrival.event else TOO_MANY_PATHS, ""
        if new_campaign and not self._admitted(site, arrival):
            arrival.campaign = TOO_MANY_CAMPAIGNS
        if arrival.page:
            new_page, _ = await self._names.missing(site, arrival.page, "")
            if new_page and not self._admitted(site, arrival):
                arrival.page = TOO_MANY_PATHS

    def _admitted(self, site: int, arrival: Arrival) -> bool:
        address = arrival.address
        assert not isinstance(address, str)
        return (address is not None and address.is_loopback) or self._admits(site, address)


def _referrer(site: int, hit: Sourced) -> int:
    return hash((site, hit.ref))


def _details(site: int, hit: Sourced) -> int:
    """Identifies the page's host and the parameters of its URL; 0 without any."""
    details = hit.host, hit.utm_source, hit.utm_medium, hit.utm_content, hit.utm_term
    return hash((site, *details)) if any(details) else 0
