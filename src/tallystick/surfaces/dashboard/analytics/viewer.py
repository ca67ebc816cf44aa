"""Who looks at which sites, and what they may see of them."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import NoSuchSite
from tallystick.model.account import Account
from tallystick.model.period import DAY_S
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import may_change, may_see
from tallystick.services.accounts.site_readers import is_public, is_reader
from tallystick.services.accounts.sites import Sites
from tallystick.surfaces.dashboard.analytics.lists import LISTS
from tallystick.surfaces.dashboard.analytics.periods import USUAL
from tallystick.surfaces.dashboard.support import cookies
from tallystick.surfaces.dashboard.support.framing import NO_FRAMES, frame_ancestors
from tallystick.surfaces.dashboard.support.language import Language
from tallystick.surfaces.dashboard.support.page_request import PageRequest

MOST_SITES = 50
"""Of one page."""

_id = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class LoginNeeded(Exception):  # not an error: the way to the page
    """A guest asks for a page that logged-in people may see."""


class OtherFirst(Exception):  # not an error: the way to the page, or why there is none
    """Another response comes before the page: a form for a password, or a page that says that a link has ended."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Viewer(Struct, frozen=True, kw_only=True):
    """One who looks at statistics.

    Attributes:
        sites: at least one; their hits are counted together.
        person: the logged-in account; None for a guest.
        may_change: whether they may change what belongs to the (only) site: goals, segments and others.
        locked: filters on the wire that always hold and are not shown.
        lists: the lists that may be seen; None for all.
        base: the address of the page, to which names of lists are added.
        frames: the directive of the Content-Security-Policy that says which websites may show the page in a frame.
        headers: more headers of its responses.
    """

    sites: tuple[Site, ...]
    base: str
    person: Account | None = None
    may_change: bool = False
    locked: tuple[Any, ...] = ()
    lists: frozenset[str] | None = None
    frames: str = NO_FRAMES
    headers: Mapping[str, str] = MappingProxyType({})

    @property
    def site(self) -> Site:
        """The first site, whose zone and goals the page has."""
        return self.sites[0]

    @property
    def title(self) -> str:
        """The sites as people know them: by their domains."""
        return ", ".join(site.domain or site.name for site in self.sites)

    @property
    def person_id(self) -> int | None:
        """The id of the account; None for a guest."""
        return None if self.person is None else self.person.id

    @property
    def sunday_first(self) -> bool:
        """Whether their weeks begin on Sunday."""
        return self.person is not None and self.person.settings.sunday_starts_week

    @property
    def insider(self) -> bool:
        """Whether this is one of the people of the sites, who see more of them than everybody does."""
        return all(map(self.is_of, self.sites))

    def is_of(self, site: Site) -> bool:
        """Whether this is one of the people of a site."""
        return self.person is not None and may_see(self.person, site)

    @property
    def may_keep(self) -> bool:
        """Whether they may have notes and segments of their own: at one site, of which they are one of the people."""
        return len(self.sites) == 1 and self.insider

    def may_edit(self, owner: int | None) -> bool:
        """Whether they may change a note or a segment of an owner; None is the site."""
        return self.may_change if owner is None else owner == self.person_id

    def owner(self, whose: str) -> int | None:
        """Whose a note or a segment is to be: the site's (None) where they say so and may, else their own."""
        return None if self.may_change and whose == "site" else self.person_id

    def usual_period(self, now: int) -> str:
        """28 days; today, while there is nothing before today.

        Args:
            now: Unix milliseconds.
        """
        since = min(site.counting_since or now for site in self.sites)
        return "today" if now - since < DAY_S * 1000 else USUAL

    @property
    def sees_a_part(self) -> bool:
        """Whether some visits or some lists are not shown; what tells about all of them then is not there either."""
        return bool(self.locked) or not all(map(self.sees, LISTS))

    def sees(self, listing: str) -> bool:
        """Whether a list may be seen."""
        return self.lists is None or listing in self.lists


class ViewerSource(Protocol):
    """Finds out who looks."""

    async def of(self, request: PageRequest, names: str) -> Viewer:
        """The viewer of what is named in an address.

        Raises:
            LoginNeeded, OtherFirst, HTTPException
        """


class Viewers:
    """Finds out who looks at sites that are named in an address."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites

    async def of(self, request: PageRequest, names: str) -> Viewer:
        """The viewer of the sites in an address.

        Args:
            names: names or ids of sites, with ``+`` between them.

        Raises:
            LoginNeeded: a guest, and a site is neither public nor was its secret given in this browser.
            HTTPException: there is no such site, or it is another account's (404 for both).
        """
        person = None if request.principal is None else request.principal.account
        asked = list(dict.fromkeys(names.split("+")))
        seen = [site for site in await self.named(names) if _is_visible(request, site)]
        if len(seen) < len(asked):
            if person is None:
                raise LoginNeeded
            raise HTTPException(404)
        # One site may have been named twice, by two of its names.
        sites = tuple({site.id: by_clocks_of(request.language, site) for site in seen}.values())
        return Viewer(
            sites=sites,
            base="/sites/" + "+".join(address_of(site) for site in sites),
            person=person,
            may_change=person is not None and len(sites) == 1 and may_change(person, "s", sites[0]),
            frames=frame_ancestors(sites) if person is None else NO_FRAMES,
        )

    async def keeper(self, request: PageRequest) -> Viewer:
        """The viewer of the site in the path of a page about what is kept for it.

        Raises:
            LoginNeeded
            HTTPException: there is no such site, or the person sees only what everybody sees of it (404).
        """
        viewer = await self.of(request, request.http.path_params["site"])
        if not viewer.may_keep:
            raise HTTPException(404)
        return viewer

    async def changer(self, request: PageRequest) -> Viewer:
        """The viewer of the site in the path, whose settings they may change.

        Raises:
            HTTPException: they may not (404, as for a site that there is not).
        """
        try:
            viewer = await self.of(request, request.http.path_params["site"])
        except LoginNeeded as error:
            raise HTTPException(404) from error
        if not viewer.may_change:
            raise HTTPException(404)
        return viewer

    async def named(self, names: str) -> list[Site]:
        """The sites in an address, at most ``MOST_SITES``; without those that are not there."""
        found = [await self._site(name) for name in list(dict.fromkeys(names.split("+")))[:MOST_SITES]]
        return [site for site in found if site is not None]

    async def _site(self, name: str) -> Site | None:
        if _id.fullmatch(name):
            return await self._sites.by_id(int(name))
        try:
            return await self._sites.named(name)
        except NoSuchSite:
            return None


def by_clocks_of(language: Language, site: Site) -> Site:
    """A site with the time zone of the person who looks, where they have chosen one: days are days of their clocks."""
    zone = language.formats.zone
    if zone is None:
        return site
    return replace(site, user_defaults=replace(site.user_defaults, timezone=f".{zone.key}"))


def address_of(site: Site) -> str:
    """The name of a site in the addresses of its pages."""
    return site.domain or site.cname or str(site.id)


def given_for(site: Site) -> str:
    """What the proof that a site's secret was given is called in cookies."""
    return f"site-{site.id}"


def _is_visible(request: PageRequest, site: Site) -> bool:
    if is_public(site) or is_reader(site, cookies.given_proof(request.http, given_for(site)), request.now):
        return True
    return request.principal is not None and may_see(request.account, site)
