"""Sites and their settings: ``/sites``."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused, NotPermitted, StoreUnavailable
from tallystick.model.account import UserSettings
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import may_change
from tallystick.services.accounts.pinned_sites import pin_site, pinned_sites, sites_in_order
from tallystick.services.accounts.site_hosts import UnknownHost, hosts_of, release_host, unknown_hosts, without_host
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.accounts.sites import (
    NewSite,
    create_site_as,
    delete_site,
    may_create_sites,
    sees_unknown_hosts,
    update_site,
)
from tallystick.surfaces.dashboard.analytics.cards import SiteCards, plain_card
from tallystick.surfaces.dashboard.analytics.periods import USUAL
from tallystick.surfaces.dashboard.analytics.view import View
from tallystick.surfaces.dashboard.analytics.viewer import MOST_SITES, address_of
from tallystick.surfaces.dashboard.first_minutes.snippets import counting_url
from tallystick.surfaces.dashboard.sites.form import PUBLIC, changes_of, filled_in, typed
from tallystick.surfaces.dashboard.sites.places import SitePlaces
from tallystick.surfaces.dashboard.support.choices import NOT_OFFERED, Choice, choice, zone_groups
from tallystick.surfaces.dashboard.support.confirmation import confirmed
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.forms import form_token, number_in
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other, with_guest_cookie
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, NOT_CONFIRMED, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.surfaces.dashboard.support.streaming import streamed
from tallystick.web.own_address import own_base

CARDS_OF_PAGE = 24
PERIODS_OF_CARDS = ("today", "7d", "28d", "month", "year")

NEW_SITE_FIELDS = ("cname", "domain", "link_domain")


class SitePages:
    """Lists, adds, changes and deletes the sites of a person's account."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger
        self._cards, self._places = SiteCards(services.statistics), SitePlaces(services)

    async def list_page(self, request: PageRequest) -> Response:
        """The sites that the person may see, and the form for a new one. Their cards follow one by one."""
        values = await self._list_values(request)
        shown, view = values["shown"], values["view"]
        text, headers = await self._services.renderer.private_text(request, "sites/sites.html", values)
        cards = self._cards_of(request, shown, values["pinned"], view)
        return with_guest_cookie(request, streamed(request.http.scope, text, cards, headers))

    async def list_json(self, request: PageRequest) -> Response:
        """The same as JSON."""
        values = await self._list_values(request)
        cards = []
        for site in values["shown"]:
            card = await self._cards.card(request.account, site, values["view"], request.language, request.now)
            plain = plain_card(card, own_base(request.http.scope))
            cards.append({**plain, "pinned": site.id in values["pinned"]})
        hosts = [{"host": each.host, "requests": each.requests} for each in values["unknown_hosts"]]
        return as_json({"sites": cards, "found": values["found"], "hosts_without_site": hosts})

    async def _cards_of(
        self, request: PageRequest, sites: Sequence[Site], pinned: Collection[int], view: View
    ) -> AsyncIterator[str]:
        for site in sites:
            card = await self._cards.card(request.account, site, view, request.language, request.now)
            shown = {"card": card, "is_pinned": site.id in pinned, "form_token": form_token(request.secret)}
            yield await self._services.renderer.fragment(request, "sites/card.html", shown)

    async def create(self, request: PageRequest) -> Response:
        """Add a site."""
        cname, domain, link_domain = (request.form.text(name) for name in NEW_SITE_FIELDS)
        new_site = NewSite(cname=cname, domain=domain, link_domain=link_domain)
        existing: list[Site] = await self._ledger.read(active_sites)
        if existing and not new_site.cname and may_create_sites(request.account):
            return await self._show_list(request, {"cname": [N_("must be set")]})
        try:
            created = await self._services.write(request, create_site_as, request.account, new_site, request.now)
        except NotPermitted as error:
            raise HTTPException(404) from error
        except InputRefused as error:
            return await self._show_list(request, problems_of(error))
        return see_other(f"/sites/{created.id}/settings?done=created")

    async def pin(self, request: PageRequest) -> Response:
        """Pin a site to the beginning of the person's list, or no longer pin it."""
        site = await self._places.site(request)
        pinned = request.form.text("pinned") == "1"
        await self._ledger.write(partial(pin_site, pinned=pinned), request.account.id, site.id)
        return see_other("/sites")

    async def page(self, request: PageRequest) -> Response:
        """A site: the code for its pages and, for people who may change them, its settings."""
        return await self._show_site(request, await self._places.site(request))

    async def page_json(self, request: PageRequest) -> Response:
        """The same as JSON, with the settings for people who may change them; without the secret of the link."""
        site = await self._places.site(request)
        facts = {
            "id": site.id,
            "name": name_of(site),
            "cname": site.cname,
            "domain": site.domain,
            "link_domain": site.link_domain,
            "code": site.code,
            "timezone": site.user_defaults.timezone,
            "created": site.created,
            "counting_since": site.counting_since,
        }
        if may_change(request.account, "s", site):
            kept = {name: value for name, value in filled_in(site).items() if name not in {*facts, "secret"}}
            facts |= kept | {
                "has_secret": bool(site.settings.secret),
                "allow_embed": site.settings.allow_embed,
                "other_hosts": await self._ledger.read(hosts_of, site.id),
            }
        return as_json(facts)

    async def change(self, request: PageRequest) -> Response:
        """Change a site's settings."""
        before = await self._places.changeable(request)
        if not request.form.text("cname") and len(await self._ledger.read(active_sites)) > 1:
            return await self._show_site(request, before, {"cname": [N_("must be set while there are other sites")]})
        if request.form.text("timezone") not in (await self._zones(request, before)).values:
            return await self._show_site(request, before, {"timezone": [NOT_OFFERED]})
        try:
            changes = changes_of(before, request.form)
            await self._services.write(request, update_site, before.id, changes, request.now)
        except InputRefused as error:
            return await self._show_site(request, before, problems_of(error))
        return see_other(f"/sites/{before.id}/settings?done=changed")

    async def release_host(self, request: PageRequest) -> Response:
        """Stop counting for a host that the site counted for while it was the only site."""
        site = await self._places.changeable(request, "a")
        await self._services.write(request, release_host, site.id, request.form.text("host"))
        return see_other(f"/sites/{site.id}/settings?done=released")

    async def delete(self, request: PageRequest) -> Response:
        """Delete a site with everything it has counted. The form must have its name, typed."""
        site = await self._places.changeable(request, "a")
        if not confirmed(request, name_of(site)):
            return await self._show_site(request, site, NOT_CONFIRMED)
        try:
            await self._services.write(request, delete_site, site.id, request.now)
        except InputRefused as error:
            return await self._show_site(request, site, problems_of(error))
        return see_other("/sites?done=deleted")

    async def _zones(self, request: PageRequest, site: Site) -> Choice:
        """The time zones that a site can have."""
        language, current = request.language, site.user_defaults.timezone
        return await asyncio.to_thread(
            lambda: choice("timezone", current, zone_groups(language, [(UserSettings().timezone, "UTC")]))
        )

    async def _show_list(self, request: PageRequest, problems: Problems) -> Response:
        """The page again, with what is wrong with its form. Without cards, which nobody asked for."""
        return await self._services.show(request, "sites/sites.html", await self._list_values(request, problems))

    async def _list_values(self, request: PageRequest, problems: Problems = NO_PROBLEMS) -> dict[str, Any]:
        person, query = request.account, request.http.query_params
        all_sites = await self._ledger.read(active_sites)
        may_create = may_create_sites(person)
        pinned = await self._ledger.read(pinned_sites, person.id)
        mine = sites_in_order(person, all_sites, pinned)
        find = query.get("find", "").strip()
        found = [site for site in mine if find.casefold() in f"{site.name} {site.domain} {site.link_domain}".casefold()]
        offset = number_in(query.get("from", ""), 5) or 0
        view = View(period=query.get("period", "") if query.get("period") in PERIODS_OF_CARDS else USUAL)
        return {
            "sites": mine,
            "found": len(found),
            "shown": found[offset : offset + CARDS_OF_PAGE],
            "offset": offset,
            "step": CARDS_OF_PAGE,
            "find": find,
            "pinned": pinned,
            "view": view,
            "periods": PERIODS_OF_CARDS,
            "together": "+".join(address_of(site) for site in mine[:MOST_SITES]) if len(mine) > 1 else "",
            "may_create": may_create,
            "hostless": without_host(all_sites) if len(all_sites) == 1 else None,
            "unknown_hosts": await self._unknown_hosts() if sees_unknown_hosts(person, all_sites) else [],
            "typed": {name: request.form.text(name) for name in NEW_SITE_FIELDS},
            "name_of": name_of,
            "problems": problems,
        }

    async def _unknown_hosts(self) -> list[UnknownHost]:
        """Hosts of requests that no site has, including those not yet stored."""
        with suppress(StoreUnavailable):  # earlier ones can be read all the same
            await self._services.sites.keep_unknown()
        return await self._ledger.read(unknown_hosts)

    async def _show_site(self, request: PageRequest, site: Site, problems: Problems = NO_PROBLEMS) -> Response:
        person = request.account
        values = {
            "site": site,
            "name": name_of(site),
            "site_url": counting_url(request, site),
            "typed": typed(request.form) if request.form.checked("public") else filled_in(site),
            "zones": await self._zones(request, site),
            "public": PUBLIC,
            "hosts": await self._ledger.read(hosts_of, site.id),
            "several": len(await self._ledger.read(active_sites)) > 1,
            "may_change": may_change(person, "s", site),
            "may_delete": may_change(person, "a", site),
            "problems": problems,
        }
        return await self._services.show(request, "sites/site.html", values)


def name_of(site: Site) -> str:
    """The name shown for a site."""
    return site.name
