"""``/docs``: the API reference."""

import asyncio
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

from starlette.responses import Response

from tallystick import __version__
from tallystick.surfaces.dashboard.reference.document import Section, sections
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.rendering import Renderer


class ApiDescription(Protocol):
    """The OpenAPI description of all surfaces."""

    @property
    def document(self) -> Mapping[str, Any]:
        """The OpenAPI document."""


class ReferencePages:
    """Renders the API reference from the OpenAPI document."""

    def __init__(self, renderer: Renderer, description: ApiDescription) -> None:
        self._renderer, self._description = renderer, description

    async def page(self, request: PageRequest) -> Response:
        """The API reference."""
        return await asyncio.to_thread(self._render, request)

    def _render(self, request: PageRequest) -> Response:
        return self._renderer.page(request, "reference/docs.html", {"sections": self._sections, "version": __version__})

    @cached_property
    def _sections(self) -> list[Section]:
        return sections(self._description.document)
