"""The start page (``/``) and ``/favicon.ico``."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from tallystick.errors import StoreUnavailable
from tallystick.model.counter import alive
from tallystick.model.key import Key
from tallystick.model.shared_counter import SharedCounter
from tallystick.model.site import Site
from tallystick.services.accounts.pinned_sites import pinned_sites, sites_in_order
from tallystick.services.accounts.site_readers import is_public
from tallystick.services.accounts.sites import may_create_sites
from tallystick.services.sharing.access import counters_of
from tallystick.services.zones import today_in
from tallystick.surfaces.dashboard.analytics.cards import SiteCards
from tallystick.surfaces.dashboard.analytics.view import View
from tallystick.surfaces.dashboard.analytics.viewer import address_of
from tallystick.surfaces.dashboard.counters.pages import value_of, zone_of
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.forms import form_token
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS
from tallystick.surfaces.dashboard.support.rendering import HEADERS
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.surfaces.dashboard.support.static_files import STATIC_FOLDER
from tallystick.surfaces.dashboard.support.streaming import streamed
from tallystick.web.own_address import own_base
from tallystick.web.surface import PublicCounters

SAMPLE = Key("tallystick", "welcome")
"""The public counter that visitors of the start page add to."""

SITES_SHOWN, COUNTERS_SHOWN, PUBLIC_SITES_SHOWN = 12, 24, 50


class Own(Struct, frozen=True, kw_only=True):
    """What a person has: the pinned sites first, and the newest counters.

    Attributes:
        values: of the counters: their values, or days, by UUID.
    """

    sites: Sequence[Site]
    pinned: frozenset[int]
    counters: Sequence[SharedCounter]
    values: dict[str, int]


class WelcomePages:
    """Introduces the server to visitors, and shows people what they have.

    Args:
        public_counters: open, existing or off; decides what the start page offers.
    """

    def __init__(self, services: PageServices, public_counters: PublicCounters = "open") -> None:
        self._services, self._ledger = services, services.ledger
        self._cards = SiteCards(services.statistics)
        self._public_counters = public_counters

    async def page(self, request: PageRequest) -> Response:
        """The start page: for people their sites and counters, for others what this server is.

        Who has one site and nothing else is led to its statistics. Reads the sample counter only; the page's script
        and button add to it.
        """
        if request.principal is None:
            return await self._for_guests(request)
        own = await self._own(request)
        if len(own.sites) == 1 and not own.counters:
            return see_other(f"/sites/{address_of(own.sites[0])}")
        shown = own.sites[:SITES_SHOWN]
        values = {
            "own": own,
            "counters": own.counters[:COUNTERS_SHOWN],
            "may_create": may_create_sites(request.account),
            "more_sites": len(own.sites) > len(shown),
            "more_counters": len(own.counters) > COUNTERS_SHOWN,
        }
        text, headers = await self._services.renderer.private_text(request, "welcome/home.html", values)
        return streamed(request.http.scope, text, self._cards_of(request, shown, own), headers)

    async def as_json(self, request: PageRequest) -> Response:
        """The same as JSON. A person's sites are without figures, which ``/sites.json`` has."""
        base = own_base(request.http.scope)
        if request.principal is None:
            sites = [
                {"name": site.name, "address": f"{base}/sites/{address_of(site)}"}
                for site in await self._public_sites()
            ]
            return as_json(
                {
                    "setup_needed": request.needs_setup,
                    "public_counters": self._public_counters,
                    "join": self._services.join,
                    "sites": sites,
                }
            )
        own = await self._own(request)
        return as_json(
            {
                "sites": [
                    {"id": each.id, "name": each.name, "address": f"{base}/sites/{address_of(each)}"}
                    for each in own.sites
                ],
                "counters": [
                    {"id": each.uid, "name": each.name, "type": each.type, "value": own.values[each.uid]}
                    for each in own.counters
                ],
            }
        )

    async def icon(self, _http: Request) -> Response:
        """The icon for browsers that show a JSON response and request ``/favicon.ico`` on their own."""
        return FileResponse(STATIC_FOLDER / "icon.svg", headers=HEADERS | {"cache-control": "public, max-age=86400"})

    async def _for_guests(self, request: PageRequest) -> Response:
        sites = await self._public_sites()
        values: dict[str, Any] = {
            "sample": SAMPLE,
            "value": await self._value(SAMPLE) if self._public_counters == "open" else None,
            "public_counters": self._public_counters,
            "sites": [(site.domain or site.name, f"/sites/{address_of(site)}") for site in sites[:PUBLIC_SITES_SHOWN]],
            "join": self._services.join,
            "problems": NO_PROBLEMS,
        }
        private = self._public_counters == "off" and not sites and self._services.join == "invited"
        if private and not request.needs_setup:
            return await self._services.renderer.private_page(request, "welcome/private.html", values)
        return await asyncio.to_thread(self._services.renderer.page, request, "welcome/welcome.html", values)

    async def _cards_of(self, request: PageRequest, sites: Sequence[Site], own: Own) -> AsyncIterator[str]:
        for site in sites:
            card = await self._cards.card(request.account, site, View(), request.language, request.now)
            values = {"card": card, "is_pinned": site.id in own.pinned, "form_token": form_token(request.secret)}
            yield await self._services.renderer.fragment(request, "sites/card.html", values)

    async def _own(self, request: PageRequest) -> Own:
        """What a person has.

        Raises:
            StoreUnavailable
        """
        person = request.account
        pinned = await self._ledger.read(pinned_sites, person.id)
        counters = await self._ledger.read(counters_of, person.id)
        today = today_in(await zone_of(request), request.now)
        return Own(
            sites=sites_in_order(person, await self._services.sites.all(), pinned),
            pinned=pinned,
            counters=counters[::-1],
            values={counter.uid: value_of(counter, today) for counter in counters},
        )

    async def _public_sites(self) -> list[Site]:
        """Sites whose statistics everyone may read; none while the ledger is unavailable."""
        with suppress(StoreUnavailable):
            return [site for site in await self._services.sites.all() if is_public(site)]
        return []

    async def _value(self, key: Key) -> int | None:
        """The counter's value; None while the ledger is unavailable, which must not keep the page from showing."""
        try:
            counter = alive(await self._ledger.find(key), self._ledger.clock())
        except StoreUnavailable:
            return None
        return 0 if counter is None else counter.value
