"""A sheet of what this server does with the visits of one site: ``/sites/{site}/privacy``."""

import asyncio
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Literal

from msgspec import Struct
from starlette.responses import Response

from tallystick import __version__
from tallystick.model.hit import SESSION_S
from tallystick.model.site import Collect, Public, Site
from tallystick.services.analytics.kept.shared_links import shared_links_of
from tallystick.services.ingest.ingest import Ingest
from tallystick.services.ingest.salts import SPAN_MS
from tallystick.services.operating.backups import BackupNote
from tallystick.services.operating.state import Operating
from tallystick.services.zones import zone_of_days
from tallystick.surfaces.dashboard.sites.collecting import COLLECTED
from tallystick.surfaces.dashboard.sites.places import SitePlaces
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.language import N_, Language
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS
from tallystick.surfaces.dashboard.support.services import PageServices

HOUR_S = 3_600
SALT_HOURS = SPAN_MS // 1_000 // HOUR_S
KEYS_KEPT_HOURS = 32
"""How long the hash of a visitor is kept after a hit: ``warehouse/duckdb/sessions.py``."""

_IN_SHORT: Mapping[str, str] = {
    "referrer": N_("the page that led here and the campaign"),
    "user_agent": N_("browser, system and kind of device"),
    "screen_size": N_("the width of the screen"),
    "location": N_("the country"),
    "region": N_("the region"),
    "language": N_("the language of the browser"),
    "props": N_("properties that this website sends along"),
}
"""Parts of a hit for a text that visitors read."""


class VisitHours(Struct, frozen=True):
    """How visits are told apart, in hours.

    Attributes:
        salt_changes: how often the random key is replaced.
        salt_kept: after which it is destroyed.
        hash_kept: after which the hash of a visitor is deleted, counted from the hit.
        visit_ends: after the last hit.
    """

    salt_changes: int = SALT_HOURS
    salt_kept: int = 2 * SALT_HOURS
    hash_kept: int = KEYS_KEPT_HOURS
    visit_ends: int = SESSION_S // HOUR_S


class PrivacyFacts(Struct, frozen=True, kw_only=True):
    """What this server stores of one site, from its settings and those of the site.

    Attributes:
        at: when this was true, Unix ms.
        timezone: of the site, which times on the sheet have.
        stored: by the name of the flag, and ``props``.
        time: how exactly the time of a hit is stored.
        regions: countries whose regions are stored; empty for all, None for none.
        path_rules: how many rules replace parts of paths before they are stored.
        places: what says where an address is: nothing, what comes with the program, or a database of the operator.
        visits: how visits are told apart; None where they are not.
        visit_numbers: whether the number of the visit is stored with a hit.
        retention_days: 0 is for good.
        left_out: the number of networks, countries, paths, hosts and campaigns that are not counted.
        readers: who may see the statistics beside the people of the account.
        frames: how many websites may show them.
        shared_links: that are valid.
        backup: the last one; None if none is known.
    """

    site: str
    website: str
    at: int
    timezone: str
    version: str
    stored: Mapping[str, bool]
    time: Literal["second", "hour"]
    regions: tuple[str, ...] | None
    path_rules: int
    places: Literal["nothing", "built in", "database"]
    visits: VisitHours | None
    visit_numbers: bool
    retention_days: int
    respects_gpc: bool
    respects_dnt: bool
    left_out: Mapping[str, int]
    readers: Public
    frames: int
    visitor_counter: bool
    operator_reads: bool
    shared_links: int
    backup: BackupNote | None
    cookies: bool = False
    addresses: bool = False
    user_agents: bool = False


class PrivacyPages:
    """Shows the sheet to the people of a site."""

    def __init__(self, services: PageServices, operating: Operating, ingest: Ingest) -> None:
        self._services, self._operating, self._ingest = services, operating, ingest
        self._places = SitePlaces(services)

    async def page(self, request: PageRequest) -> Response:
        """The sheet, to print and to quote."""
        site = await self._places.site(request)
        zone = await _zone(site)
        facts = await self._facts(request, site, zone)
        values = {
            "zone": zone,
            "site": site,
            "name": site.name,
            "facts": facts,
            "collected": [(each, facts.stored[_name(each.bit)]) for each in COLLECTED if each.bit is not Collect.HITS],
            "in_short": _in_short(request.language, facts),
            "problems": NO_PROBLEMS,
        }
        return await self._services.show(request, "sites/privacy.html", values)

    async def data(self, request: PageRequest) -> Response:
        """The same as JSON."""
        site = await self._places.site(request)
        return as_json(await self._facts(request, site, await _zone(site)))

    async def _facts(self, request: PageRequest, site: Site, zone: tzinfo) -> PrivacyFacts:
        links = await self._services.ledger.read(shared_links_of, site.id)
        return facts_of(
            site,
            now=request.now,
            zone=zone,
            shared_links=sum(not link.has_expired(request.now) for link in links),
            backup=await self._operating.backup(),
            has_database=self._ingest.has_place_database,
        )


async def _zone(site: Site) -> tzinfo:
    """The time zone of a site; UTC for one that does not exist any more."""
    return await asyncio.to_thread(zone_of_days, site.user_defaults.timezone)


def facts_of(  # noqa: PLR0913  # what is not in the site's settings
    site: Site, *, now: int, zone: tzinfo, shared_links: int, backup: BackupNote | None, has_database: bool
) -> PrivacyFacts:
    """The facts of a site.

    Args:
        has_database: whether the operator gave a database of places.
    """
    settings, collect = site.settings, Collect(site.settings.collect)
    located = bool(collect & (Collect.LOCATION | Collect.REGION))
    single = bool(collect & Collect.HITS)
    numbered = single and bool(collect & Collect.SESSION)
    stored = {_name(each.bit): bool(collect & each.bit) for each in COLLECTED}
    return PrivacyFacts(
        site=site.name,
        website=site.domain or site.link_domain,
        at=now,
        timezone=str(zone),
        version=__version__,
        stored=stored | {"session": numbered, "props": settings.collect_props},
        time="second" if single else "hour",
        regions=settings.collect_regions if collect & Collect.REGION else None,
        path_rules=len(settings.path_rules),
        places=("database" if has_database else "built in") if located or settings.ignore_countries else "nothing",
        visits=VisitHours() if collect & Collect.SESSION else None,
        visit_numbers=numbered,
        retention_days=settings.data_retention,
        respects_gpc=settings.respect_gpc,
        respects_dnt=settings.respect_dnt,
        left_out={
            "networks": len(settings.ignore_ips),
            "countries": len(settings.ignore_countries),
            "paths": len(settings.ignore_paths),
            "hosts": len(settings.ignore_hosts),
            "campaigns": len(settings.ignore_campaigns),
        },
        readers=settings.public,
        frames=len(settings.allow_embed),
        visitor_counter=settings.allow_counter,
        operator_reads=settings.allow_bosmang,
        shared_links=shared_links,
        backup=backup,
    )


def _in_short(language: Language, facts: PrivacyFacts) -> str:
    """What is stored of a visit, as one text."""
    exactly = N_("the time to the second") if facts.time == "second" else N_("the hour")
    parts: list[Any] = [N_("address and title of the page"), exactly]
    parts += (text for name, text in _IN_SHORT.items() if facts.stored[name])
    if facts.visit_numbers:
        parts.append(N_("a number that joins the pages of one visit"))
    return language.listed([language.gettext(each) for each in parts])


def _name(bit: Collect) -> str:
    return (bit.name or "").lower()
