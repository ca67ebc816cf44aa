"""Finds the site in the path of a page about its settings."""

import re

from starlette.exceptions import HTTPException

from tallystick.errors import NoSuchSite
from tallystick.model.account import Access
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import may_change, may_see
from tallystick.services.accounts.site_rows import site as read_site
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.services import PageServices

_id = re.compile(r"[1-9][0-9]{0,8}")


class SitePlaces:
    """Finds sites as they are stored now, and checks what a person may do with them."""

    def __init__(self, services: PageServices) -> None:
        self._services = services

    async def site(self, request: PageRequest) -> Site:
        """The site in the path.

        Raises:
            HTTPException: there is none, or it is another account's (404 for both).
        """
        name = request.http.path_params["site"]
        number = int(name) if _id.fullmatch(name) else await self._number_of(name)
        site: Site | None = await self._services.ledger.read(read_site, number)
        if site is None or not may_see(request.account, site):
            raise HTTPException(404)
        return site

    async def changeable(self, request: PageRequest, needed: Access = "s") -> Site:
        """The site in the path, for a person who may change it.

        Raises:
            HTTPException: they may not (404, as for a site that there is not).
        """
        site = await self.site(request)
        if not may_change(request.account, needed, site):
            raise HTTPException(404)
        return site

    async def _number_of(self, name: str) -> int:
        """The id of the site with a name; 0 without one."""
        try:
            return (await self._services.sites.named(name)).id
        except NoSuchSite:
            return 0
