"""New names: how many paths, campaigns and referrers an address may bring to a site in a while.

Names are kept for good, so nobody may make as many as they like. Beyond the limit hits are still counted, under names
that say why. Servers and imports, which show a token, are not limited.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from tallystick.services.analytics.names import Names
from tallystick.services.ingest.arrival import Arrival

TOO_MANY_PATHS = "/(too many new paths)"
TOO_MANY_EVENTS = "(too many new events)"
TOO_MANY_CAMPAIGNS = "(too many new campaigns)"
TOO_MANY_REFERRERS = "(too many new referrers)"

REFERRERS_REMEMBERED = 100_000
"""Referrers that are not new any more, as hashes: about 10 MB. Past it the older half is forgotten."""

Admits = Callable[[int, IPv4Address | IPv6Address | None], bool]
"""Takes one of the new names that a site still accepts from an address; False when there is none left."""


class NewNames:
    """Replaces new names beyond the limit. Used from one event loop."""

    def __init__(self, names: Names, admits: Admits) -> None:
        self._names, self._admits = names, admits
        self._referrers: dict[int, None] = {}

    def bound_referrer(self, site: int, arrival: Arrival) -> None:
        """Replace a referrer that is one too many. Which ones there are is known since the start of the server."""
        referrer = hash((site, arrival.ref))
        if referrer in self._referrers or arrival.ref_scheme == "g":
            return
        if not self._admitted(site, arrival):
            arrival.ref, arrival.ref_scheme = TOO_MANY_REFERRERS, "o"
            return
        if len(self._referrers) >= REFERRERS_REMEMBERED:
            for known in list(self._referrers)[: REFERRERS_REMEMBERED // 2]:
                del self._referrers[known]
        self._referrers[referrer] = None

    async def bound_names(self, site: int, arrival: Arrival) -> None:
        """Replace a path, event or campaign that is one too many.

        Raises:
            StoreUnavailable: the ledger cannot say which ones there are.
        """
        new_path, new_campaign = await self._names.missing(site, arrival.path, arrival.campaign)
        if new_path and not self._admitted(site, arrival):
            arrival.path, arrival.title = TOO_MANY_EVENTS if arrival.event else TOO_MANY_PATHS, ""
        if new_campaign and not self._admitted(site, arrival):
            arrival.campaign = TOO_MANY_CAMPAIGNS

    def _admitted(self, site: int, arrival: Arrival) -> bool:
        address = arrival.address
        assert not isinstance(address, str)
        return (address is not None and address.is_loopback) or self._admits(site, address)
