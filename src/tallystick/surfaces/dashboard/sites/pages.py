"""Sites and their settings: ``/sites``."""

import re
from contextlib import suppress

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused, NotPermitted, StoreUnavailable
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import may_change, may_see
from tallystick.services.accounts.site_hosts import UnknownHost, hosts_of, release_host, unknown_hosts, without_host
from tallystick.services.accounts.site_rows import active_sites, site
from tallystick.services.accounts.sites import NewSite, create_site_as, delete_site, may_create_sites, update_site
from tallystick.surfaces.dashboard.sites.form import COLLECTED, PUBLIC, changes_of, filled_in, typed
from tallystick.surfaces.dashboard.support.confirmation import confirmed
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, NOT_CONFIRMED, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import Parts
from tallystick.web.address import bare_host, host_of
from tallystick.web.own_address import own_origin

_id = re.compile(r"[1-9][0-9]{0,8}")


class SitePages:
    """The sites of a person's account."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._ledger = parts, parts.ledger

    async def list_page(self, asked: PageRequest) -> Response:
        """The sites that the person may look at, and the form for a new one."""
        return await self._show_list(asked)

    async def create(self, asked: PageRequest) -> Response:
        """Add a site."""
        wanted = NewSite(cname=asked.form.text("cname"), link_domain=asked.form.text("link_domain"))
        present: list[Site] = await self._ledger.read(active_sites)
        if present and not wanted.cname and may_create_sites(asked.login.account):
            return await self._show_list(asked, {"cname": ["must be set"]})
        try:
            created = await self._parts.write(asked, create_site_as, asked.login.account, wanted, asked.now)
        except NotPermitted as error:
            raise HTTPException(404) from error
        except InputRefused as error:
            return await self._show_list(asked, problems_of(error))
        return see_other(f"/sites/{created.id}?done=created")

    async def page(self, asked: PageRequest) -> Response:
        """A site: how to count on it, and its settings for who may change them."""
        return await self._show_site(asked, await self._site(asked))

    async def change(self, asked: PageRequest) -> Response:
        """Change a site's settings."""
        before = await self._site(asked)
        if not may_change(asked.login.account, "s", before):
            raise HTTPException(404)
        if not asked.form.text("cname") and len(await self._ledger.read(active_sites)) > 1:
            return await self._show_site(asked, before, {"cname": ["must be set while there are other sites"]})
        try:
            await self._ledger.write(update_site, before.id, changes_of(asked.form), asked.now)
        except InputRefused as error:
            return await self._show_site(asked, before, problems_of(error))
        return see_other(f"/sites/{before.id}?done=changed")

    async def release_host(self, asked: PageRequest) -> Response:
        """Let a site count no longer for a host that it had while it was the only site."""
        found = await self._site(asked)
        if not may_change(asked.login.account, "a", found):
            raise HTTPException(404)
        await self._ledger.write(release_host, found.id, asked.form.text("host"))
        return see_other(f"/sites/{found.id}?done=released")

    async def delete(self, asked: PageRequest) -> Response:
        """Delete a site with everything it has counted; takes its name, typed."""
        doomed = await self._site(asked)
        if not may_change(asked.login.account, "a", doomed):
            raise HTTPException(404)
        if not confirmed(asked, name_of(doomed)):
            return await self._show_site(asked, doomed, NOT_CONFIRMED)
        try:
            await self._parts.write(asked, delete_site, doomed.id, asked.now)
        except InputRefused as error:
            return await self._show_site(asked, doomed, problems_of(error))
        return see_other("/sites?done=deleted")

    async def _site(self, asked: PageRequest) -> Site:
        """The site of the address; of another account's nobody learns that it exists."""
        number = asked.request.path_params["site"]
        found = await self._ledger.read(site, int(number)) if _id.fullmatch(number) else None
        if found is None or not may_see(asked.login.account, found):
            raise HTTPException(404)
        return found

    async def _show_list(self, asked: PageRequest, problems: Problems = NO_PROBLEMS) -> Response:
        person = asked.login.account
        everything = await self._ledger.read(active_sites)
        may_create = may_create_sites(person)
        values = {
            "sites": [site for site in everything if may_see(person, site)],
            "may_create": may_create,
            "nameless": without_host(everything) if len(everything) == 1 else None,
            "unknown": await self._unknown() if may_create else [],
            "typed": {name: asked.form.text(name) for name in ("cname", "link_domain")},
            "name_of": name_of,
            "problems": problems,
        }
        return await self._parts.show(asked, "sites/sites.html", values)

    async def _unknown(self) -> list[UnknownHost]:
        """Hosts that no site has, with what was counted a moment ago."""
        with suppress(StoreUnavailable):  # what was stored before can be read all the same
            await self._parts.sites.keep_unknown()
        return await self._ledger.read(unknown_hosts)

    async def _show_site(self, asked: PageRequest, shown: Site, problems: Problems = NO_PROBLEMS) -> Response:
        person = asked.login.account
        values = {
            "site": shown,
            "name": name_of(shown),
            "site_origin": _origin(asked, shown),
            "typed": typed(asked.form) if asked.form.checked("public") else filled_in(shown),
            "collected": COLLECTED,
            "public": PUBLIC,
            "hosts": await self._ledger.read(hosts_of, shown.id),
            "several": len(await self._ledger.read(active_sites)) > 1,
            "may_change": may_change(person, "s", shown),
            "may_delete": may_change(person, "a", shown),
            "problems": problems,
        }
        return await self._parts.show(asked, "sites/site.html", values)


def name_of(site: Site) -> str:
    """What people call a site."""
    return site.name


def _origin(asked: PageRequest, shown: Site) -> str:
    """Where pages send their hits: the site's own host, or this one while there is no other."""
    scope = asked.request.scope
    own = own_origin(scope)
    elsewhere = shown.cname and shown.cname not in {host_of(scope), bare_host(own.partition("://")[2])}
    return f"https://{shown.cname}" if elsewhere else own
