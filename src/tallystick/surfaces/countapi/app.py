"""The surface as an ASGI application: decodes a request, calls its handler, encodes the response.

Plain ASGI: this is the hot path. Paths repeat from request to request, so each is parsed once.
"""

from functools import partial

import structlog
from msgspec.structs import replace

from tallystick.errors import InputRefused, StoreUnavailable
from tallystick.ledger.folding import Admit
from tallystick.model.key import Key
from tallystick.services.services import Services
from tallystick.surfaces.countapi import errors, wire
from tallystick.surfaces.countapi.handlers import Request
from tallystick.surfaces.countapi.limits import CreationLimit, KeyedLimit
from tallystick.surfaces.countapi.routes import RouteTarget, target_of
from tallystick.surfaces.countapi.wire import Payload
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.pixel import PIXEL
from tallystick.web.surface import Kit

NAME = "countapi"
LONGEST_QUERY = 8_192

log = structlog.get_logger()

_KEY_HEADER = b"idempotency-key"
_OF_INTEREST = frozenset({b"sec-purpose", b"purpose", b"x-purpose", b"x-moz", _KEY_HEADER})
"""Headers that mark a prefetch, and the idempotency key."""


class CountApi:
    """The surface as an ASGI application; also answers paths that no surface claims (404 in JSON)."""

    def __init__(self, services: Services, kit: Kit) -> None:
        self._counting, self._traffic = services.counting, kit.traffic
        self._creations = CreationLimit(kit.creation_limit) if kit.creation_limit else None
        self._addresses = kit.addresses
        self._keyed = KeyedLimit(kit.limits, kit.addresses)
        self._count_prefetch, self._public_counters = kit.count_prefetch, kit.public_counters

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
                headers = _headers(wire.JSON, answer)
        self._traffic.answers[NAME, status] += 1
        if answer.refused is not None:
            self._traffic.refused(NAME, answer.refused)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _encoded(self, scope: Scope, raw_query: bytes) -> tuple[Payload, int, wire.Headers, bytes]:
        """The response as JSON, as JSONP (``?callback=``: always status 200) or as an image (``?img``)."""
        if scope["method"] == "OPTIONS":
            self._counting.note_request()
            return _ALLOWED, 204, wire.PREFLIGHT, b""
        if len(raw_query) > LONGEST_QUERY:
            self._counting.note_request()
            return _as_json(errors.TOO_LONG)
        parameters = wire.query(raw_query)
        try:
            callback = wire.callback_name(parameters)
        except InputRefused as error:
            self._counting.note_request()
            return _as_json(errors.bad_request(error))
        answer = await self._answer(scope, target_of(scope["path"]), parameters)
        if "img" in parameters:
            return answer, answer.status, _headers(wire.GIF, answer), PIXEL
        if callback is not None:
            return answer, 200, _headers(wire.SCRIPT, answer), wire.jsonp_body(callback, answer)
        return _as_json(answer)

    async def _answer(self, scope: Scope, target: RouteTarget | None, parameters: dict[str, str]) -> Payload:
        if target is None or scope["method"] not in _METHODS:
            self._counting.note_request()
            return errors.NOT_FOUND if target is None else errors.METHOD_NOT_ALLOWED
        if self._public_counters == "off":
            self._counting.note_request()
            return errors.SWITCHED_OFF
        path = None
        try:
            request = self._request(scope, target, parameters)
            path = request.path or None
            answer = await target.handler(self._counting, request)
        except (InputRefused, StoreUnavailable) as error:
            return self._refusal(error, path)
        except Exception:
            log.exception("a request failed", surface=NAME)
            return errors.internal(path)
        if answer.refused == errors.CREATION_LIMITED and self._public_counters == "existing":
            return replace(errors.NO_CREATION, path=answer.path)
        return answer

    def _refusal(self, error: InputRefused | StoreUnavailable, path: bytes | None) -> Payload:
        if isinstance(error, StoreUnavailable):
            return errors.unavailable(error, path)
        self._counting.note_request()
        return errors.bad_request(error, path)

    def _request(self, scope: Scope, target: RouteTarget, parameters: dict[str, str]) -> Request:
        headers = scope["headers"]
        prefetch, idempotency_key = _prefetch_and_key(headers)
        counts = scope["method"] != "HEAD" and (self._count_prefetch or not prefetch)
        if self._public_counters != "open":
            admit: Admit | None = _never
        else:
            creations = self._creations
            # Called on the writer's thread, which has the address but not the request.
            admit = None if creations is None else partial(creations.admit, self._addresses.of(scope))
        key, path = target.key, target.path
        if key is None:
            key = _key_from_page(target, headers, parameters)
            path = str(key).encode()
        admit_keyed = None
        if idempotency_key is not None:
            admit_keyed = partial(self._keyed.admit, scope)
        return Request(key, path, parameters, counts, admit, headers, idempotency_key, admit_keyed)


def _never() -> bool:
    return False


_METHODS = frozenset({"GET", "HEAD", "POST"})
_ALLOWED = Payload(204, b"")


def _as_json(answer: Payload) -> tuple[Payload, int, wire.Headers, bytes]:
    return answer, answer.status, _headers(wire.JSON, answer), answer.body


def _headers(base: wire.Headers, answer: Payload) -> wire.Headers:
    if answer.path is not None:
        base = (*base, (b"x-path", answer.path))
    return (*base, *answer.headers) if answer.headers else base


def _prefetch_and_key(headers: list[tuple[bytes, bytes]]) -> tuple[bool, bytes | None]:
    """Whether the request is a prefetch, and its Idempotency-Key. Several keys are joined to one that is not valid."""
    prefetch, key = False, None
    for name, value in headers:  # a plain loop: hot path
        if name in _OF_INTEREST:
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
