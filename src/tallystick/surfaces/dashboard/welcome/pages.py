"""The start page (``/``) and ``/favicon.ico``."""

import asyncio

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.model.account import Account
from tallystick.model.counter import alive
from tallystick.model.key import Key
from tallystick.services.accounts.accounts import may_see
from tallystick.services.accounts.sites import Sites
from tallystick.services.sharing.access import counters_of
from tallystick.surfaces.dashboard.analytics.viewer import address_of
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.rendering import HEADERS, Renderer
from tallystick.surfaces.dashboard.support.static_files import STATIC_FOLDER

SAMPLE = Key("tallystick", "welcome")
"""The public counter that visitors of the start page add to."""


class WelcomePages:
    """Introduces the server to visitors.

    Args:
        public_counters: open, existing or off; decides what the start page offers.
    """

    def __init__(self, ledger: Ledger, renderer: Renderer, sites: Sites, public_counters: str = "open") -> None:
        self._ledger, self._renderer, self._sites = ledger, renderer, sites
        self._public_counters = public_counters

    async def page(self, request: PageRequest) -> Response:
        """The start page; people who have sites are led to their statistics.

        Reads the sample counter only; the page's script and button add to it.
        """
        if request.principal and (own := await self._own_page(request.account)):
            return see_other(own)
        value = await self._value(SAMPLE) if self._public_counters == "open" else None
        values = {"sample": SAMPLE, "value": value, "public_counters": self._public_counters}
        return await asyncio.to_thread(self._renderer.page, request, "welcome/welcome.html", values)

    async def _own_page(self, person: Account) -> str:
        """Where a person looks first: at their only site, at all of them, or at their counters; empty without both."""
        try:
            sites = [site for site in await self._sites.all() if may_see(person, site)]
            if not sites:
                return "/counters" if await self._ledger.read(counters_of, person.id) else ""
        except StoreUnavailable:
            return ""
        return f"/sites/{address_of(sites[0])}" if len(sites) == 1 else "/sites"

    async def icon(self, _http: Request) -> Response:
        """The icon for browsers that show a JSON response and request ``/favicon.ico`` on their own."""
        return FileResponse(STATIC_FOLDER / "icon.svg", headers=HEADERS | {"cache-control": "public, max-age=86400"})

    async def _value(self, key: Key) -> int | None:
        """The counter's value; None while the ledger is unavailable, which must not keep the page from showing."""
        try:
            counter = alive(await self._ledger.find(key), self._ledger.clock())
        except StoreUnavailable:
            return None
        return 0 if counter is None else counter.value
