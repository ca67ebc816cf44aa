"""The hot lane of increments and decrements. See ``server/DESIGN.md``.

Every check is the one of ``judging.py``, in its order. Whatever is not the plain case is left to it: then nothing has
been taken from the person's limit.
"""

import re
from typing import Any, cast

from tallystick.errors import StoreUnavailable
from tallystick.server.hot_lane import Answer, HotRequest
from tallystick.server.refusals import Refusal
from tallystick.services.services import Services
from tallystick.services.sharing.changing import Changed, ChangeRequest, StepResult, ValueChange
from tallystick.surfaces.counttogether.api.handlers.counting import ADDITIONS, addition, number_response
from tallystick.surfaces.counttogether.api.judging import WRITE, CounterRoute
from tallystick.surfaces.counttogether.authorization import Gate
from tallystick.surfaces.counttogether.decoding import query_values
from tallystick.surfaces.counttogether.errors import REASON_BY_STATUS, SURFACE, Malformed, response_to
from tallystick.surfaces.counttogether.responses import PROBLEM, UNCACHED_LINES
from tallystick.surfaces.counttogether.zones import is_usual
from tallystick.web.answers import ApiResponse, answer_of
from tallystick.web.api import count_response
from tallystick.web.refusals import refused_by_server
from tallystick.web.routing import NoRoute, Table
from tallystick.web.traffic import Traffic

URLS_REMEMBERED = 10_000
LONGEST_REMEMBERED = 128
"""Bytes of a URL that is remembered; a UUID, an amount and a time zone are shorter."""

_may_be_usual = re.compile(
    rb"/v[12]/counters/[0-9A-Za-z-]+/(?:in|de)crement[/0-9]*(?:\?(?:timezone=[\w/+-]*)?)?"
).fullmatch
"""Matches URLs of the lane without percent-encoding; none with a token, which must not be cached."""


class AdditionLane:
    """Increments and decrements without a body and without an Idempotency-Key, by a token that was looked up lately.

    Args:
        table: the surface's routes.
    """

    def __init__(self, services: Services, gate: Gate, table: Table[CounterRoute], traffic: Traffic) -> None:
        self._sharing, self._gate, self._table, self.traffic = services.sharing, gate, table, traffic
        self._steps: dict[bytes, tuple[ValueChange, ...]] = {}

    def take(self, request: HotRequest) -> str | None:  # noqa: C901, PLR0911  # one check after the other: hot path
        """See ``HotLane``."""
        if request.method != b"POST":
            return "method"
        steps = self._steps.get(request.url) or self._found(request.url)
        if steps is None:
            return "path"
        authorization: bytes | None = None
        for name, value in request.headers:
            if name == b"authorization":
                if authorization is not None:
                    return "authorization"
                authorization = value
            elif name == b"idempotency-key":
                return "idempotency key"
            elif name == b"accept" and PROBLEM in value:
                return "accept"
        principal = None if authorization is None else self._gate.known(authorization)
        if principal is None:
            return "authorization"
        if not principal.permits(WRITE):
            return "permission"
        limit = self._gate.permit_at_once(principal)
        if limit is None:
            return "rate limit"
        request.context = limit
        sharing = self._sharing
        change = ChangeRequest(account=principal.account.id, steps=steps, hide_foreign=sharing.hide_foreign)
        try:
            sharing.change_into(request, change)
        except StoreUnavailable as error:
            request.respond(self.refuse(request, error))
        return None

    def answer(self, request: HotRequest, result: Changed) -> Answer:
        """See ``HotLane``."""
        self._sharing.publish(result)
        return self._answer(request, number_response(cast("tuple[StepResult, ...]", result.results)))

    def refuse(self, request: HotRequest, error: Exception) -> Answer:
        """See ``HotLane``."""
        return self._answer(request, response_to(error))

    def _answer(self, request: HotRequest, response: ApiResponse) -> Answer:
        count_response(self.traffic, SURFACE, response, REASON_BY_STATUS)
        return answer_of(response, UNCACHED_LINES + request.context)

    def _found(self, url: bytes) -> tuple[ValueChange, ...] | None:
        """The steps of an increment or a decrement; None for any other URL, and where its query may need a look."""
        if len(url) > LONGEST_REMEMBERED or not _may_be_usual(url):
            return None
        path, _, query = url.partition(b"?")
        try:
            route, place = self._table.find("POST", path.decode().removesuffix("/"))
            verb = ADDITIONS.get(cast("Any", route.handler))
            if verb is None or not is_usual(query_values(query)):
                return None
            steps = (addition(verb, place),)
        except (NoRoute, Malformed):
            return None
        if len(self._steps) >= URLS_REMEMBERED:
            self._steps.clear()
        self._steps[url] = steps
        return steps


def refuse(_path: str, refusal: Refusal) -> Answer:
    """What the HTTP server refuses, in this surface's form."""
    return answer_of(response_to(refused_by_server(refusal)), UNCACHED_LINES)
