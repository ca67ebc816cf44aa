"""A site's settings prepared for the pipeline, so that they are not evaluated again for each hit."""

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct

from tallystick.model.leaving_out import campaign_expression, host_expression, path_expression
from tallystick.model.path_rules import PathRules
from tallystick.model.referrer import tidied
from tallystick.model.site import Collect, Site
from tallystick.services.ingest.arrival import Arrival, Refusal
from tallystick.services.ingest.countries import Countries
from tallystick.services.ingest.salts import Salts
from tallystick.services.ingest.sources import host_of_url
from tallystick.services.ingest.spam import SpamReferrers

ADDRESSES_CACHED = 20_000

Address = IPv4Address | IPv6Address


class Ignored(Struct, frozen=True):
    """Addresses whose hits are dropped: single ones, networks, and texts that are neither."""

    texts: frozenset[Address | str]
    networks: tuple[IPv4Network | IPv6Network, ...]

    def has(self, address: Address | str) -> bool:
        """Whether an address is ignored."""
        if address in self.texts:
            return True
        return not isinstance(address, str) and any(address in network for network in self.networks)


class CollectionRules(Struct, frozen=True, eq=False):
    """A site's settings, and the data that its hits are checked against. Equal only to itself: a key of caches.

    Attributes:
        ignored: None if no address is ignored.
        ignored_countries: empty if no country is ignored.
        ignored_pages, ignored_hosts, ignored_campaigns: fit a whole path, host or name; None if none is ignored.
        regions: countries whose regions are stored; empty for all countries, None for no regions.
        own_hosts: referrers from them are no source.
        gathered: pages that are counted under another path; None if there are none.
    """

    site: Site
    collects_referrers: bool
    collects_agents: bool
    collects_widths: bool
    collects_locations: bool
    collects_languages: bool
    collects_sessions: bool
    collects_hits: bool
    collects_props: bool
    regions: frozenset[str] | None
    ignored: Ignored | None
    ignored_countries: frozenset[str]
    ignored_pages: re.Pattern[str] | None
    ignored_hosts: re.Pattern[str] | None
    ignored_campaigns: re.Pattern[str] | None
    countries: Countries
    spam: SpamReferrers
    salts: Salts
    own_hosts: tuple[str, ...]
    gathered: PathRules | None


Step = Callable[[CollectionRules, Arrival], Refusal | None]
"""A step of the pipeline: changes the arrival, or refuses it."""


def rules_of(site: Site, countries: Countries, spam: SpamReferrers, salts: Salts) -> CollectionRules:
    """Prepare a site's settings."""
    settings = site.settings
    collected = Collect(settings.collect)
    keeps_regions = Collect.REGION in collected
    return CollectionRules(
        site=site,
        collects_referrers=Collect.REFERRER in collected,
        collects_agents=Collect.USER_AGENT in collected,
        collects_widths=Collect.SCREEN_SIZE in collected,
        collects_locations=keeps_regions or Collect.LOCATION in collected,
        collects_languages=Collect.LANGUAGE in collected,
        collects_sessions=Collect.SESSION in collected,
        collects_hits=Collect.HITS in collected,
        collects_props=settings.collect_props,
        regions=frozenset(map(str.upper, settings.collect_regions)) if keeps_regions else None,
        ignored=ignored_addresses(settings.ignore_ips),
        ignored_countries=frozenset(settings.ignore_countries),
        ignored_pages=re.compile(path_expression(settings.ignore_paths)) if settings.ignore_paths else None,
        ignored_hosts=re.compile(host_expression(settings.ignore_hosts)) if settings.ignore_hosts else None,
        ignored_campaigns=re.compile(campaign_expression(settings.ignore_campaigns))
        if settings.ignore_campaigns
        else None,
        countries=countries,
        spam=spam,
        salts=salts,
        own_hosts=tuple(filter(None, [host_of_url(f"//{tidied(site.link_domain)}")])),
        gathered=PathRules(settings.path_rules) if settings.path_rules else None,
    )


@lru_cache(ADDRESSES_CACHED)
def address_of(text: str) -> Address | str:
    """Parse an address; the text itself if it is none."""
    try:
        address = ip_address(text.strip().removeprefix("[").removesuffix("]").partition("%")[0])
    except ValueError:
        return text
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


@lru_cache(1_000)
def ignored_addresses(entries: tuple[str, ...]) -> Ignored | None:
    """The addresses and networks of a site's ``ignore_ips``; None without any."""
    texts: set[Address | str] = set()
    networks = []
    for text in entries:
        network = _network(text)
        if network is None:
            texts.add(address_of(text))
        else:
            networks.append(network)
    return Ignored(frozenset(texts), tuple(networks)) if texts or networks else None


def _network(text: str) -> IPv4Network | IPv6Network | None:
    if "/" not in text:
        return None
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None
