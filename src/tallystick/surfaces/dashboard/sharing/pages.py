"""The shared links of a site: ``/sites/{site}/sharing``."""

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import UNSET, UnsetType
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused, InvalidFields
from tallystick.model.account import Account
from tallystick.model.shared_link import MAX_LINKS, SharedLink, last_day
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import accounts_of
from tallystick.services.analytics.kept.shared_links import (
    SharedLinkChanges,
    change_shared_link,
    create_shared_link,
    shared_links_of,
    withdraw_shared_link,
)
from tallystick.services.inquiries.expressions import check_expressions, expressions_in
from tallystick.surfaces.dashboard.analytics.lists import PANELS
from tallystick.surfaces.dashboard.analytics.viewer import Viewers, address_of
from tallystick.surfaces.dashboard.sharing.form import NEW, OFFERED_LISTS, LinkFields, filled_in, read_fields, typed
from tallystick.surfaces.dashboard.support.confirmation import confirmed
from tallystick.surfaces.dashboard.support.data import as_json, moment_text, times, wants_json
from tallystick.surfaces.dashboard.support.forms import one_of
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, NOT_CONFIRMED, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.own_address import own_url


class SharingPages:
    """Lists, creates, changes and withdraws the shared links of a site, for people who may change its settings.

    A new link's address is shown once.
    """

    def __init__(self, services: PageServices) -> None:
        self._services, self._ledger = services, services.ledger
        self._viewers = Viewers(services.sites)

    async def page(self, request: PageRequest) -> Response:
        """The links of a site, the form for a new one, and who else may read its statistics; also as JSON."""
        site = await self._site(request)
        return await self._json(request, site) if wants_json(request) else await self._show(request, site)

    async def create(self, request: PageRequest) -> Response:
        """Create a link and show its address."""
        site = await self._site(request)
        fields, problems = await self._fields(request, OFFERED_LISTS)
        password, password_problems = await self._typed_password(request)
        if problems or password_problems:
            return await self._show(request, site, {**problems, **password_problems})
        new = SharedLink(
            site=site.id,
            name=fields.name,
            expires=fields.expires,
            password=password or None,
            filters=fields.filters,
            panels=fields.panels,
            created_by=request.account.id,
        )
        try:
            link, secret = await self._services.write(request, create_shared_link, new, request.now)
        except InputRefused as error:
            return await self._show(request, site, problems_of(error, filters="filter"))
        address = f"{own_url(request.http.scope)}/share/{secret}"
        values = {"link": link, "address": address, **_about(site, NO_PROBLEMS)}
        return await self._services.show(request, "sharing/created.html", values)

    async def link_page(self, request: PageRequest) -> Response:
        """The form that changes a link; the link as JSON."""
        site, link = await self._link(request)
        if wants_json(request):
            return as_json(_plain(link, await self._names(site), request.now))
        return await self._show_link(request, site, link)

    async def change(self, request: PageRequest) -> Response:
        """Change a link. Its address stays; a new password ends what was opened with the old one."""
        site, link = await self._link(request)
        fields, problems = await self._fields(request, {*OFFERED_LISTS, *link.panels})
        password, password_problems = await self._typed_password(request)
        if problems or password_problems:
            return await self._show_link(request, site, link, {**problems, **password_problems})
        changes = SharedLinkChanges(
            name=fields.name,
            expires=UNSET if request.form.text("expires") == last_day(link) else fields.expires,
            password=_changed_password(request, password),
            filters=fields.filters,
            panels=fields.panels,
        )
        try:
            await self._services.write_or_404(request, change_shared_link, site.id, link.id, changes, request.now)
        except InputRefused as error:
            return await self._show_link(request, site, link, problems_of(error, filters="filter"))
        return see_other(f"/sites/{address_of(site)}/sharing?done=changed")

    async def withdraw(self, request: PageRequest) -> Response:
        """Delete a link; its address shows nothing from then on. The form must have its name, typed."""
        site = await self._site(request)
        for number in request.form.numbers("id"):
            link = await self._link_of(site, str(number))
            if not confirmed(request, link.name):
                return await self._show(request, site, NOT_CONFIRMED)
            await self._services.write_or_404(request, withdraw_shared_link, site.id, number, request.now)
        return see_other(f"/sites/{address_of(site)}/sharing?done=withdrawn")

    async def _site(self, request: PageRequest) -> Site:
        """The site in the path.

        Raises:
            HTTPException: there is none whose settings the person may change (404).
        """
        viewer = await self._viewers.of(request, request.http.path_params["site"])
        if not viewer.may_change:
            raise HTTPException(404)
        return viewer.site

    async def _link(self, request: PageRequest) -> tuple[Site, SharedLink]:
        """The site and its link in the path.

        Raises:
            HTTPException: as of ``_site``, or the site has no such link (404).
        """
        site = await self._site(request)
        return site, await self._link_of(site, request.http.path_params["link"])

    async def _link_of(self, site: Site, number: str) -> SharedLink:
        return one_of(await self._ledger.read(shared_links_of, site.id), number)

    async def _fields(self, request: PageRequest, panels: Collection[str]) -> tuple[LinkFields, Problems]:
        """The fields of the form, and messages about those that cannot be."""
        fields, problems = read_fields(request.form, panels)
        try:
            await check_expressions(self._services.statistics.questions, expressions_in(fields.filters))
        except InputRefused as error:
            problems = {**problems, "filter": [str(error)]}
        return fields, problems

    async def _typed_password(self, request: PageRequest) -> tuple[str, Problems]:
        """The digest of the password in the form, empty without one, and messages about it.

        Raises:
            HTTPException: too many passwords (429).
        """
        if not (password := request.form.exactly("password")):
            return "", NO_PROBLEMS
        await self._services.limit_form(request)
        try:
            return await self._services.passwords.hash(password), NO_PROBLEMS
        except InvalidFields as error:
            return "", problems_of(error)

    async def _names(self, site: Site) -> Mapping[int, str]:
        """The names of the people of a site's account, by id."""
        members: list[Account] = await self._ledger.read(accounts_of, site.root)
        return {member.id: member.name for member in members if member.name}

    async def _json(self, request: PageRequest, site: Site) -> Response:
        """Who may read a site's statistics, and its links, without secrets."""
        links, names = await self._ledger.read(shared_links_of, site.id), await self._names(site)
        return as_json(
            {
                "public": site.settings.public,
                "address": f"{own_url(request.http.scope)}/sites/{address_of(site)}",
                "links": [_plain(link, names, request.now) for link in links],
            }
        )

    async def _show(self, request: PageRequest, site: Site, problems: Problems = NO_PROBLEMS) -> Response:
        values = {
            "links": await self._ledger.read(shared_links_of, site.id),
            "names": await self._names(site),
            "now": request.now,
            "most": MAX_LINKS,
            "panels": PANELS,
            "lists": OFFERED_LISTS,
            "typed": typed(request.form) if request.form.checked("name") else NEW,
            "to_withdraw": request.form.numbers("id"),
            **_about(site, problems),
        }
        return await self._services.show(request, "sharing/sharing.html", values)

    async def _show_link(
        self, request: PageRequest, site: Site, link: SharedLink, problems: Problems = NO_PROBLEMS
    ) -> Response:
        values = {
            "link": link,
            "panels": PANELS,
            "lists": OFFERED_LISTS,
            "typed": typed(request.form) if request.form.checked("name") else filled_in(link),
            **_about(site, problems),
        }
        return await self._services.show(request, "sharing/link.html", values)


def _about(site: Site, problems: Problems) -> dict[str, object]:
    """Values of every page here."""
    return {"site": site, "site_address": address_of(site), "problems": problems}


def _plain(link: SharedLink, names: Mapping[int, str], now: int) -> dict[str, Any]:
    """A link as data, without its secret and password."""
    return {
        "id": link.id,
        "name": link.name,
        "expires": moment_text(link.expires),
        "expired": link.has_expired(now),
        "has_password": link.password is not None,
        "filters": link.filters,
        "lists": link.panels,
        "by": names.get(link.created_by or 0),
        "used": moment_text(link.used),
        **times(link),
    }


def _changed_password(request: PageRequest, digest: str) -> str | UnsetType | None:
    """The new digest of a link's password; None where it needs none any more."""
    if request.form.checked("no_password"):
        return None
    return digest or UNSET
