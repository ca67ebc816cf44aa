"""The surface as an ASGI application: decodes a request, calls its handler, encodes the response.

Plain ASGI: this is the hot path. Paths repeat from request to request, so each is parsed once.
"""

from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any

import structlog
from msgspec.structs import replace

from tallystick.errors import InputRefused, StoreUnavailable
from tallystick.model.key import Key
from tallystick.services.counting.owned.rules import AddingSender
from tallystick.services.services import Services
from tallystick.surfaces.countapi import errors, wire
from tallystick.surfaces.countapi.handlers import Request
from tallystick.surfaces.countapi.routes import RouteTarget, target_of
from tallystick.surfaces.countapi.wire import Payload
from tallystick.web.adding_sender import sender_of
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.pixel import PIXEL
from tallystick.web.refusals import retry_after
from tallystick.web.surface import Kit

NAME = "countapi"
LONGEST_QUERY = 8_192

log = structlog.get_logger()

_KEY_HEADER = b"idempotency-key"
HEADERS_READ = frozenset({b"sec-purpose", b"purpose", b"x-purpose", b"x-moz", _KEY_HEADER})
"""Headers that mark a prefetch, and the idempotency key."""


class CountApi:
    """The surface as an ASGI application; also answers paths that no surface claims (404 in JSON).

    Attributes:
        creations: the limits of new counters.
    """

    def __init__(self, services: Services, kit: Kit) -> None:
        self.counting, self._traffic = services.counting, kit.traffic
        self.creations = kit.creations
        self._addresses, self._visitors = kit.addresses, services.counter_visitors
        self._keyed = kit.keyed
        self.count_prefetch, self.public_counters = kit.count_prefetch, kit.public_counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # no body is read
        """Answer one request."""
        raw_query = scope["query_string"]
        if raw_query or scope["method"] == "OPTIONS":
            answer, status, headers, body = await self._encoded(scope, raw_query)
        else:
            target = target_of(scope["path"])
            answer = await self._answer(scope, target, {})
            status, body = answer.status, answer.body
            # Compared by identity: a response about the target's own key uses the headers prepared for it.
            if target is not None and answer.path is target.path and not answer.headers:
                headers = target.headers
            else:
                headers = response_headers(wire.JSON, answer)
        self.count(answer, status)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _encoded(self, scope: Scope, raw_query: bytes) -> tuple[Payload, int, wire.Headers, bytes]:
        """The response as JSON, as JSONP (``?callback=``: always status 200) or as an image (``?img``)."""
        if scope["method"] == "OPTIONS":
            self.counting.note_request()
            return _ALLOWED, 204, wire.PREFLIGHT, b""
        if len(raw_query) > LONGEST_QUERY:
            self.counting.note_request()
            return _as_json(errors.TOO_LONG)
        parameters = wire.query(raw_query)
        try:
            callback = wire.callback_name(parameters)
        except InputRefused as error:
            self.counting.note_request()
            return _as_json(errors.bad_request(error))
        answer = await self._answer(scope, target_of(scope["path"]), parameters)
        if "img" in parameters:
            return answer, answer.status, response_headers(wire.GIF, answer), PIXEL
        if callback is not None:
            return answer, 200, response_headers(wire.SCRIPT, answer), wire.jsonp_body(callback, answer)
        return _as_json(answer)

    def payload_of(self, error: Exception, path: bytes | None) -> Payload:
        """The response to an error, of whatever type."""
        if isinstance(error, StoreUnavailable):
            return errors.unavailable(error, path)
        if isinstance(error, InputRefused):
            self.counting.note_request()
            return errors.bad_request(error, path)
        log.error("a request failed", surface=NAME, exc_info=error)
        return errors.internal(path)

    def without_creation(self, answer: Payload, scope: Mapping[str, Any]) -> Payload:
        """The response, of a creation that was refused with the reason why nobody may create, or the time to wait."""
        if answer.refused != errors.CREATION_LIMITED or answer.path is None:
            return answer
        if self.public_counters == "existing":
            return replace(errors.NO_CREATION, path=answer.path)
        namespace = answer.path.partition(b"/")[0].decode()
        return replace(answer, headers=retry_after(self.creations.wait(self._addresses.of(scope), namespace)))

    def count(self, answer: Payload, status: int) -> None:
        """Count a response for the metrics."""
        self._traffic.answers[NAME, status] += 1
        if answer.refused is not None:
            self._traffic.refused(NAME, answer.refused)

    def admits(self, scope: Mapping[str, Any], key: Key) -> bool:
        """Whether a client may create one more counter. Called on the writer's thread, when one is about to be made."""
        return self.creations.admit(self._addresses.of(scope), key.namespace)

    def sender_of(self, key: Key, scope: Mapping[str, Any]) -> Awaitable[AddingSender]:
        """What the rules of a counter's owner need to know of a request's sender."""
        return sender_of(self._visitors, self._addresses, key, scope)

    async def _answer(self, scope: Scope, target: RouteTarget | None, parameters: dict[str, str]) -> Payload:
        if target is None or scope["method"] not in _METHODS:
            self.counting.note_request()
            return errors.NOT_FOUND if target is None else errors.METHOD_NOT_ALLOWED
        if self.public_counters == "off":
            self.counting.note_request()
            return errors.SWITCHED_OFF
        path = None
        try:
            request = self._request(scope, target, parameters)
            path = request.path or None
            return self.without_creation(await target.handler(self.counting, request), scope)
        except Exception as error:  # noqa: BLE001  # errors become responses in one place
            return self.payload_of(error, path)

    def _request(self, scope: Scope, target: RouteTarget, parameters: dict[str, str]) -> Request:
        headers = scope["headers"]
        prefetch, idempotency_key = _prefetch_and_key(headers)
        counts = scope["method"] != "HEAD" and (self.count_prefetch or not prefetch)
        admits = partial(self.admits, scope) if self.public_counters == "open" else never
        key, path = target.key, target.path
        if key is None:
            key = _key_from_page(target, headers, parameters)
            path = str(key).encode()
        admit_keyed = None
        if idempotency_key is not None:
            admit_keyed = partial(self._keyed.admit, scope)
        sender = partial(self.sender_of, key, scope)
        return Request(key, path, parameters, counts, admits, headers, sender, idempotency_key, admit_keyed)


def never(_key: Key) -> bool:
    """Admit no new counter."""
    return False


_METHODS = frozenset({"GET", "HEAD", "POST"})
_ALLOWED = Payload(204, b"")


def _as_json(answer: Payload) -> tuple[Payload, int, wire.Headers, bytes]:
    return answer, answer.status, response_headers(wire.JSON, answer), answer.body


def response_headers(base: wire.Headers, answer: Payload) -> wire.Headers:
    """The headers of a response: those of its form, then its own."""
    if answer.path is not None:
        base = (*base, (b"x-path", answer.path))
    return (*base, *answer.headers) if answer.headers else base


def _prefetch_and_key(headers: list[tuple[bytes, bytes]]) -> tuple[bool, bytes | None]:
    """Whether the request is a prefetch, and its Idempotency-Key. Several keys are joined to one that is not valid."""
    prefetch, key = False, None
    for name, value in headers:  # a plain loop: hot path
        if name in HEADERS_READ:
            if name == _KEY_HEADER:
                key = value if key is None else key + b", " + value
            elif value.lower().startswith((b"prefetch", b"preview")):
                prefetch = True
    return prefetch, key


def _key_from_page(target: RouteTarget, headers: list[tuple[bytes, bytes]], parameters: dict[str, str]) -> Key:
    """The key of a path whose reserved words stand for the calling page."""
    names = target.names
    assert names is not None
    key = wire.key_of(*names, wire.CallingPage(headers, parameters.get("page")))
    if key is None:
        raise InputRefused(errors.MALFORMED_NAME)
    return key
