"""The start page (``/``) and ``/favicon.ico``."""

import asyncio

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.model.counter import alive
from tallystick.model.key import Key
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.rendering import HEADERS, Renderer
from tallystick.surfaces.dashboard.support.static_files import STATIC_FOLDER

SAMPLE = Key("tallystick", "welcome")
"""The public counter that visitors of the start page add to."""


class WelcomePages:
    """Introduces the server to visitors.

    Args:
        public_counters: open, existing or off; decides what the start page offers.
    """

    def __init__(self, ledger: Ledger, renderer: Renderer, public_counters: str = "open") -> None:
        self._ledger, self._renderer, self._public_counters = ledger, renderer, public_counters

    async def page(self, request: PageRequest) -> Response:
        """The start page. Reads the sample counter only; the page's script and button add to it."""
        value = await self._value(SAMPLE) if self._public_counters == "open" else None
        values = {"sample": SAMPLE, "value": value, "public_counters": self._public_counters}
        return await asyncio.to_thread(self._renderer.page, request, "welcome/welcome.html", values)

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
