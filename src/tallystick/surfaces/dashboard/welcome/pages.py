"""What each page shows."""

import asyncio
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from tallystick import __version__
from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.model.counter import alive
from tallystick.model.key import Key
from tallystick.surfaces.dashboard.reference.document import Section, sections
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.rendering import HEADERS, STATIC_FOLDER, Renderer

SAMPLE = Key("tallystick", "welcome")
"""The counter that the page at / adds to."""


class ApiDescription(Protocol):
    """Knows what every surface answers."""

    @property
    def document(self) -> Mapping[str, Any]:
        """An OpenAPI document."""


class Pages:
    """The handlers of the pages.

    Args:
        public_counters: open, existing or off: which of them the page at / offers.
    """

    def __init__(
        self, ledger: Ledger, renderer: Renderer, description: ApiDescription, public_counters: str = "open"
    ) -> None:
        self._ledger, self._renderer, self._description = ledger, renderer, description
        self._public_counters = public_counters

    async def welcome(self, asked: PageRequest) -> Response:
        """What this server is, and one counter to try. Reads it; the page's script and its button count."""
        value = await self._value(SAMPLE) if self._public_counters == "open" else None
        values = {"sample": SAMPLE, "value": value, "public_counters": self._public_counters}
        return await self._page(asked, "welcome/welcome.html", values)

    async def docs(self, asked: PageRequest) -> Response:
        """The API, for reading."""
        reference = await asyncio.to_thread(lambda: self._reference)
        return await self._page(asked, "reference/docs.html", {"sections": reference, "version": __version__})

    async def icon(self, _request: Request) -> Response:
        """For browsers that ask without having read a page: those that show an answer of the API."""
        return FileResponse(STATIC_FOLDER / "icon.svg", headers=HEADERS | {"cache-control": "public, max-age=86400"})

    async def _page(self, asked: PageRequest, template: str, values: Mapping[str, Any]) -> Response:
        return await asyncio.to_thread(self._renderer.page, asked, template, values)

    async def _value(self, key: Key) -> int | None:
        """None when the ledger cannot tell: the page is worth reading anyway."""
        try:
            counter = alive(await self._ledger.find(key), self._ledger.clock())
        except StoreUnavailable:
            return None
        return 0 if counter is None else counter.value

    @cached_property
    def _reference(self) -> list[Section]:
        return sections(self._description.document)
