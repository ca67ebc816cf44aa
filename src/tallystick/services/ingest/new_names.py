"""Limits how many new paths, campaigns and referrers an address may add to a site in a while.

Names are kept for good, so their number has to be limited. Beyond the limit hits are still counted, under names that
say why. Servers and imports, which have a token, are not limited.
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
"""Hashes of known referrers, about 10 MB. Beyond it the older half is forgotten."""

Admits = Callable[[int, IPv4Address | IPv6Address | None], bool]
"""Uses up one of the new names that a site accepts from an address; False if none is left."""


class NewNames:
    """Replaces new names beyond the limit. Used from one event loop."""

    def __init__(self, names: Names, admits: Admits) -> None:
        self._names, self._admits = names, admits
        self._referrers: dict[int, None] = {}

    def bound_referrer(self, site: int, arrival: Arrival) -> None:
        """Replace a new referrer beyond the limit. Referrers are new if they were not seen since the server's start."""
        if self.knows_referrer(site, arrival.ref, arrival.ref_scheme):
            return
        if not self._admitted(site, arrival):
            arrival.ref, arrival.ref_scheme = TOO_MANY_REFERRERS, "o"
            return
        if len(self._referrers) >= REFERRERS_REMEMBERED:
            for known in list(self._referrers)[: REFERRERS_REMEMBERED // 2]:
                del self._referrers[known]
        self._referrers[hash((site, arrival.ref))] = None

    def knows_referrer(self, site: int, ref: str, ref_scheme: str | None) -> bool:
        """Whether a referrer is not new, or needs no limit."""
        return hash((site, ref)) in self._referrers or ref_scheme == "g"

    async def bound_names(self, site: int, arrival: Arrival) -> None:
        """Replace a new path, event or campaign beyond the limit.

        Raises:
            StoreUnavailable: existing names cannot be read from the ledger.
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
