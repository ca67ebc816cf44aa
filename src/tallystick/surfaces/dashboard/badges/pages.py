"""``/badge/{namespace}/{key}.svg``, and the page to copy it from, ``/badge/{namespace}/{key}``.

Both read, and never count. Guests see them, as they may read the counter itself.
"""

import asyncio
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InvalidFields, StoreUnavailable
from tallystick.model.counter import Counter, alive
from tallystick.model.key import Key
from tallystick.services.counting.finding import key_named
from tallystick.surfaces.dashboard.badges.drawing import Colors, badge
from tallystick.surfaces.dashboard.badges.parameters import FIELDS, LONGEST_LABEL, badge_address, parameters, snippets
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.own_address import own_origin
from tallystick.web.surface import PublicCounters

HEADERS = {
    "access-control-allow-origin": "*",
    "cache-control": "public, max-age=60, stale-while-revalidate=600",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
REFUSED = Colors(message="#9f9f9f")
REASONS = {400: "not valid", 403: "switched off", 404: "not found", 503: "not available"}
"""What a badge says in the place of a number, by the status of the answer."""


class Badges:
    """Draws badges, and shows what is pasted for them.

    Args:
        switch: whether there are public counters.
    """

    def __init__(self, services: PageServices, switch: PublicCounters) -> None:
        self._renderer, self._ledger, self._switch = services.renderer, services.ledger, switch

    async def picture(self, request: PageRequest) -> Response:
        """The badge. What is refused is a badge, too: whoever embeds it sees why."""
        key = _key(request)
        if key is None:
            return _refused(403 if self._switch == "off" else 400, "counter")
        try:
            asked = parameters(request.http.query_params, key.key)
            counter = await self._counter(key)
        except InvalidFields as error:
            return _refused(400, next(iter(error.errors)))
        except StoreUnavailable:
            return _refused(503, key.key)
        if counter is None:
            return _refused(403 if self._switch == "off" else 404, asked.label)
        drawn = badge(asked.label, f"{counter.value:,}", asked.colors).encode()
        headers = {**HEADERS, "etag": f'"{sha256(drawn).hexdigest()[:16]}"'}
        if headers["etag"] in request.http.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return Response(drawn, 200, headers, "image/svg+xml; charset=utf-8")

    async def page(self, request: PageRequest) -> Response:
        """The page to copy a badge from."""
        values = await self._shown(request)
        return await asyncio.to_thread(self._renderer.page, request, "badges/badge.html", values, _status(values))

    async def as_json(self, request: PageRequest) -> Response:
        """The same as JSON."""
        values = await self._shown(request)
        facts = {name: values[name] for name in ("name", "label", "picture")}
        facts |= {"snippets": dict(values["snippets"]), "problems": dict(values["problems"])}
        return as_json(facts, _status(values))

    async def _shown(self, request: PageRequest) -> dict[str, Any]:
        key = _key(request)
        if key is None or await self._counter(key) is None:
            raise HTTPException(404)
        query = request.http.query_params
        problems = NO_PROBLEMS
        try:
            asked = parameters(query, key.key)
        except InvalidFields as error:
            problems, asked = problems_of(error), parameters({}, key.key)
        typed = {} if problems else query
        address = badge_address(own_origin(request.http.scope), str(key), typed)
        return {
            "name": str(key),
            "picture": badge_address("", str(key), typed),
            "snippets": snippets(address, asked.label or key.key),
            "typed": {field: query.get(field, "") for field in FIELDS},
            "longest_label": LONGEST_LABEL,
            "label": asked.label or key.key,
            "problems": problems,
        }

    async def _counter(self, key: Key) -> Counter | None:
        """The counter; None also where public counters are switched off."""
        if self._switch == "off":
            return None
        return alive(await self._ledger.find(key), self._ledger.clock())


def _status(values: Mapping[str, Any]) -> int:
    return 400 if values["problems"] else 200


def _key(request: PageRequest) -> Key | None:
    path = request.http.path_params
    return key_named(f"{path['namespace']}/{path['key']}")


def _refused(status: int, label: str) -> Response:
    drawn = badge(label, REASONS[status], REFUSED)
    return Response(drawn, status, {**HEADERS, "cache-control": "no-store"}, "image/svg+xml; charset=utf-8")
