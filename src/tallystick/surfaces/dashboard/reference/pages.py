"""``/docs``: the API reference. Its index has all operations, and each topic a page.

The document is read once. A part of a page is rendered once for each language and address of the server, and kept.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, Protocol

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick import __version__
from tallystick.surfaces.dashboard.reference.document import Section, sections
from tallystick.surfaces.dashboard.reference.finding import FoundOperation, find, operations_of
from tallystick.surfaces.dashboard.support.data import as_json, wants_json
from tallystick.surfaces.dashboard.support.language import Language
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.rendering import Renderer
from tallystick.web.own_address import own_url

LONGEST_SEARCH = 100
PARTS_KEPT = 64
"""Of at most 100 kB. Requests choose the address of the server that examples show."""


class ApiDescription(Protocol):
    """The OpenAPI description of all surfaces."""

    @property
    def document(self) -> Mapping[str, Any]:
        """The OpenAPI document."""


class ReferencePages:
    """Renders the API reference from the OpenAPI document."""

    def __init__(self, renderer: Renderer, description: ApiDescription) -> None:
        self._renderer, self._description = renderer, description
        self._part = lru_cache(PARTS_KEPT)(self._render_part)

    async def page(self, request: PageRequest) -> Response:
        """All operations by topic, or those that a search finds (``?q=``)."""
        return await asyncio.to_thread(self._index, request)

    async def topic(self, request: PageRequest) -> Response:
        """The operations of one topic; also as JSON."""
        return await asyncio.to_thread(self._topic, request)

    async def as_json(self, request: PageRequest) -> Response:
        """The index, or what a search finds, as JSON."""
        return await asyncio.to_thread(self._index_as_json, request)

    def _index(self, request: PageRequest) -> Response:
        query = _query(request)
        body = self._part(request.language, "reference/operations.html", "", "")
        found = find(self._operations, query) if query else ()
        values = {"body": body, "query": query, "found": found, "version": __version__}
        return self._renderer.page(request, "reference/docs.html", values)

    def _topic(self, request: PageRequest) -> Response:
        topics = {section.anchor: section for section in self._sections}
        section = topics.get(request.http.path_params["topic"])
        if section is None:
            raise HTTPException(404)
        if wants_json(request):
            return as_json(section)
        url = own_url(request.http.scope)
        body = self._part(request.language, "reference/topic_body.html", section.anchor, url)
        values = {"section": section, "sections": self._sections, "body": body}
        return self._renderer.page(request, "reference/topic.html", values)

    def _index_as_json(self, request: PageRequest) -> Response:
        query = _query(request)
        operations = find(self._operations, query) if query else self._operations
        return as_json({"operations": [_plain(operation) for operation in operations]})

    def _render_part(self, language: Language, template: str, anchor: str, url: str) -> Markup:
        shown = [section for section in self._sections if anchor in {"", section.anchor}]
        return self._renderer.part(language, template, {"sections": shown, "own_url": url})

    @cached_property
    def _sections(self) -> Sequence[Section]:
        return sections(self._description.document)

    @cached_property
    def _operations(self) -> Sequence[FoundOperation]:
        return operations_of(self._sections)


def _query(request: PageRequest) -> str:
    return request.http.query_params.get("q", "").strip()[:LONGEST_SEARCH]


def _plain(operation: FoundOperation) -> dict[str, Any]:
    endpoint = operation.endpoint
    return {
        "title": endpoint.title,
        "topic": operation.section.title,
        "methods": endpoint.methods,
        "paths": endpoint.addresses,
        "address": operation.address,
    }
