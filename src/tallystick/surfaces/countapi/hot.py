"""``hit``, ``get`` and ``update`` in the hot lane (``server/DESIGN.md``). What is unusual goes to ``app.py``.

Every answer is the one that ``app.py`` gives: both use its encoders.
"""

import asyncio
from functools import lru_cache, partial
from typing import Any

from msgspec import Struct

from tallystick.errors import InputRefused, StoreUnavailable
from tallystick.ledger.folding import Admit
from tallystick.model.counter import Add, Outcome, RefusalReason
from tallystick.model.key import Key
from tallystick.server.hot_lane import Answer, HotLane, HotRequest, decoded_path, header_lines, with_length
from tallystick.server.refusals import Refusal
from tallystick.surfaces.countapi import handlers, wire
from tallystick.surfaces.countapi.app import HEADERS_READ, NAME, CountApi, response_headers
from tallystick.surfaces.countapi.errors import METHOD_NOT_ALLOWED
from tallystick.surfaces.countapi.routes import LONGEST_PATH, PATHS_REMEMBERED, target_of
from tallystick.surfaces.countapi.wire import Payload
from tallystick.web.pixel import PIXEL
from tallystick.web.refusals import refused_by_server
from tallystick.web.traffic import Traffic

PREFIXES = (b"/hit/", b"/get/", b"/update/")

_OK = (NAME, 200)


class HotTarget(Struct, frozen=True):
    """What a URL asks for.

    Attributes:
        path: the value of ``X-Path``.
        addition: None where the URL reads.
        image: whether the response is an image (``?img``).
        lines: headers of a successful response; with Content-Length where the body is always the same.
    """

    key: Key
    path: bytes
    addition: Add | None
    image: bool
    lines: bytes


class HotCounters:
    """The lane of public counters."""

    def __init__(self, api: CountApi, traffic: Traffic) -> None:
        self._api, self._counting, self._answers = api, api.counting, traffic.answers
        # URLs repeat; longer ones would make the cache large.
        self._target = lru_cache(PATHS_REMEMBERED)(self._parsed)
        self._may_create = api.public_counters == "open"
        self._checking: set[asyncio.Task[None]] = set()

    def take(self, request: HotRequest) -> str | None:
        """See ``HotLane``."""
        url = request.url
        target = self._target(url) if len(url) <= LONGEST_PATH else "long url"
        if isinstance(target, str):
            return target
        for name, _ in request.headers:
            if name in HEADERS_READ:
                return "prefetch or idempotency key"
        request.context = target
        try:
            if target.addition is None:
                self._counting.get_into(request, target.key)
            else:
                self._counting.add_into(request, target.key, target.addition, self._admit(request))
        except StoreUnavailable as error:
            request.respond(self.refuse(request, error))
        return None

    def answer(self, request: HotRequest, result: Any) -> Answer | None:  # noqa: ANN401
        """See ``HotLane``."""
        target: HotTarget = request.context
        if type(result) is not Outcome:
            return self._encoded(target, handlers.read(self._counting.alive_now(result), target.path))
        if result.refused is RefusalReason.RESTRICTED:
            self._check_later(request)
            return None
        if result.refused is not None:
            return self._encoded(target, self._api.without_creation(handlers.added(result, target.path), request.scope))
        self._answers[_OK] += 1
        if target.image:
            return 200, target.lines, PIXEL
        body = wire.value_body(result.value)
        return 200, with_length(target.lines, body), body

    def refuse(self, request: HotRequest, error: Exception) -> Answer:
        """See ``HotLane``."""
        target: HotTarget = request.context
        return self._encoded(target, self._api.payload_of(error, target.path))

    def _check_later(self, request: HotRequest) -> None:
        """Carry out an addition to a counter that counts only what its owner's rules admit, and respond."""
        task = asyncio.get_running_loop().create_task(self._checked(request))
        self._checking.add(task)
        task.add_done_callback(self._checking.discard)

    async def _checked(self, request: HotRequest) -> None:
        target: HotTarget = request.context
        assert target.addition is not None
        try:
            sender = await self._api.sender_of(target.key, request.scope)
            outcome = await self._counting.add_checked(target.key, target.addition, sender)
            answer = self._encoded(target, handlers.added(outcome, target.path))
        except Exception as error:  # noqa: BLE001  # errors become responses in one place
            answer = self.refuse(request, error)
        request.respond(answer)

    def _encoded(self, target: HotTarget, answer: Payload) -> Answer:
        self._api.count(answer, answer.status)
        base, body = (wire.GIF, PIXEL) if target.image else (wire.JSON, answer.body)
        return answer.status, with_length(header_lines(response_headers(base, answer)), body), body

    def _admit(self, request: HotRequest) -> Admit:
        """The limit of new counters for a request, as in ``CountApi``. It reads the client's address only if asked."""
        return partial(self._admits, request)

    def _admits(self, request: HotRequest) -> bool:
        target: HotTarget = request.context
        return self._may_create and self._api.admits(request.scope, target.key)

    def _parsed(self, url: bytes) -> "HotTarget | str":
        """Parse a URL; the reason, if it is not for the lane."""
        raw_path, _, query = url.partition(b"?")
        target = None if b"#" in url else target_of(decoded_path(raw_path))
        if target is None:
            return "no endpoint"
        if target.key is None:
            return "key of the page"
        parameters = wire.query(query)
        if parameters.get("callback"):
            return "callback"
        addition = None
        if target.handler is handlers.update:
            try:
                amount = wire.integer(parameters, "amount")
            except InputRefused:
                amount = None
            if amount is None:
                return "bad amount"
            addition = Add(amount, lifetime=self._counting.lifetime)
        elif target.handler is handlers.hit:
            addition = self._counting.hit
        image = "img" in parameters
        lines = header_lines(response_headers(wire.GIF if image else wire.JSON, Payload(200, b"", target.path)))
        return HotTarget(target.key, target.path, addition, image, with_length(lines, PIXEL) if image else lines)


def lanes(api: CountApi, traffic: Traffic) -> dict[bytes, HotLane]:
    """The surface's hot lanes, by prefix of the URL."""
    lane = HotCounters(api, traffic)
    return {} if api.public_counters == "off" else dict.fromkeys(PREFIXES, lane)


def refuse(_path: str, refusal: Refusal) -> Answer:
    """What the HTTP server refuses, in this surface's form."""
    if refusal.status == METHOD_NOT_ALLOWED.status:
        body, headers = METHOD_NOT_ALLOWED.body, METHOD_NOT_ALLOWED.headers
    else:
        body, headers = wire.error_body(f"{refusal.message}."), refused_by_server(refusal).headers
    return refusal.status, with_length(header_lines((*wire.JSON, *headers)), body), body
