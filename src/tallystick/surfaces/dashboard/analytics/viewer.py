"""Who looks at which sites, and what they may see of them."""

import re
from typing import Any

from msgspec import Struct
from starlette.exceptions import HTTPException

from tallystick.errors import NoSuchSite
from tallystick.model.account import Account
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import may_change, may_see
from tallystick.services.accounts.sites import Sites
from tallystick.surfaces.dashboard.support.page_request import PageRequest

MOST_SITES = 50
"""Of one page."""

_id = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class LoginNeeded(Exception):  # not an error: the way to the page
    """A guest asks for a page that logged-in people may see."""


class Viewer(Struct, frozen=True, kw_only=True):
    """One who looks at statistics.

    Attributes:
        sites: at least one; their hits are counted together.
        person: the logged-in account; None for a guest.
        may_change: whether they may change what belongs to the (only) site: goals, segments and others.
        locked: filters on the wire that always hold and are not shown.
        lists: the lists that may be seen; None for all.
        base: the address of the page, to which names of lists are added.
    """

    sites: tuple[Site, ...]
    base: str
    person: Account | None = None
    may_change: bool = False
    locked: tuple[Any, ...] = ()
    lists: frozenset[str] | None = None

    @property
    def site(self) -> Site:
        """The first site, whose zone and goals the page has."""
        return self.sites[0]

    @property
    def person_id(self) -> int | None:
        """The id of the account; None for a guest."""
        return None if self.person is None else self.person.id

    def sees(self, listing: str) -> bool:
        """Whether a list may be seen."""
        return self.lists is None or listing in self.lists


class Viewers:
    """Finds out who looks."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites

    async def of(self, request: PageRequest, names: str) -> Viewer:
        """The viewer of the sites in an address.

        Args:
            names: names or ids of sites, with ``+`` between them.

        Raises:
            LoginNeeded: a guest, and a site is not public.
            HTTPException: there is no such site, or it is another account's (404 for both).
        """
        person = None if request.principal is None else request.principal.account
        asked = list(dict.fromkeys(names.split("+")))
        found = [await self._site(name) for name in asked[:MOST_SITES]]
        seen = [site for site in found if site is not None and _visible(person, site)]
        if len(seen) < len(found) or len(asked) > MOST_SITES:
            if person is None:
                raise LoginNeeded
            raise HTTPException(404)
        # One site may have been named twice, by two of its names.
        sites = tuple({site.id: site for site in seen}.values())
        return Viewer(
            sites=sites,
            base="/sites/" + "+".join(address_of(site) for site in sites),
            person=person,
            may_change=person is not None and len(sites) == 1 and may_change(person, "s", sites[0]),
        )

    async def _site(self, name: str) -> Site | None:
        if _id.fullmatch(name):
            return await self._sites.by_id(int(name))
        try:
            return await self._sites.named(name)
        except NoSuchSite:
            return None


def address_of(site: Site) -> str:
    """The name of a site in the addresses of its pages."""
    return site.domain or site.cname or str(site.id)


def _visible(person: Account | None, site: Site) -> bool:
    return site.settings.public == "public" or (person is not None and may_see(person, site))
