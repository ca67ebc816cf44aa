"""Every URL of this surface, and the one way in and out of it.

Plain ASGI: this is the hot path. What repeats from request to request (paths) is parsed once.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache, partial

import structlog
from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import InputRefused, StoreUnavailable
from tallystick.ledger.folding import Admit
from tallystick.model.key import DEFAULT_NAMESPACE, Key
from tallystick.services.counting.counting import Counting
from tallystick.surfaces.countapi import errors, handlers, wire
from tallystick.surfaces.countapi.handlers import Request
from tallystick.surfaces.countapi.wire import Payload
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.cors import ANY_HEADER
from tallystick.web.pixel import PIXEL
from tallystick.web.rate_limit import CreationLimit, KeyedLimit
from tallystick.web.surface import PublicCounters
from tallystick.web.traffic import Traffic

Handler = Callable[[Counting, Request], Awaitable[Payload]]

KEYED: dict[str, Handler] = {
    # GET /{verb}/{key}  and  GET /{verb}/{namespace}/{key}, each with or without a slash at the end
    "get": handlers.get,
    "set": handlers.set_,
    "update": handlers.update,
    "hit": handlers.hit,
    "info": handlers.info,
}
PLAIN: dict[str, Handler] = {
    # GET /{verb}, with or without a slash at the end
    "create": handlers.create,
    "stats": handlers.stats,
}
PREFIXES = tuple(f"/{verb}" for verb in (*KEYED, *PLAIN))

SURFACE = "countapi"
PATHS_REMEMBERED = 16_384
LONGEST_QUERY = 8_192
LONGEST_PATH = 512

log = structlog.get_logger()

_NO_KEY = Key(DEFAULT_NAMESPACE, "")
_COMMON = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"X-Path, Retry-After, Idempotent-Replayed"),
)
_JSON = (*_COMMON, (b"content-type", b"application/json; charset=utf-8"), (b"cache-control", b"no-store"))
_SCRIPT = (
    *_COMMON,
    (b"content-type", b"text/javascript; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_GIF = (*_COMMON, (b"content-type", b"image/gif"), (b"cache-control", b"no-store, no-cache, max-age=0"))
_PREFLIGHT = (
    *_COMMON,
    (b"access-control-allow-methods", b"GET, HEAD, POST, OPTIONS"),
    (b"access-control-allow-headers", ANY_HEADER),
    (b"access-control-max-age", b"86400"),
    (b"allow", b"GET, HEAD, POST, OPTIONS"),
    (b"cache-control", b"no-store"),
)
_KEY_HEADER = b"idempotency-key"
_LOOKED_AT = frozenset({b"sec-purpose", b"purpose", b"x-purpose", b"x-moz", _KEY_HEADER})
"""What tells that a browser asks ahead of time, and the sender's key."""


class RouteTarget(Struct, frozen=True):
    """What a path means.

    Attributes:
        key: None when it depends on the calling page, or is illegal.
        path: the key as ``X-Path`` tells it.
        headers: of a JSON answer about the key.
        names: namespace and key as written.
    """

    handler: Handler
    key: Key | None = _NO_KEY
    path: bytes = b""
    headers: wire.Headers = _JSON
    names: tuple[str | None, str] | None = None


@lru_cache(PATHS_REMEMBERED)
def target_of(path: str) -> RouteTarget | None:
    """What a path means; None when it is no endpoint."""
    verb, *parts = path.removeprefix("/").split("/")
    if parts and parts[-1] == "":
        parts.pop()
    if verb in PLAIN and not parts:
        return RouteTarget(PLAIN[verb])
    if verb not in KEYED or len(parts) not in {1, 2}:
        return None
    names = (parts[0] if len(parts) > 1 else None, parts[-1])
    key = wire.key_of(*names)
    told = str(key).encode() if key else b""
    return RouteTarget(KEYED[verb], key, told, (*_JSON, (b"x-path", told)), names)


class CountApi:
    """The surface as an ASGI application; also answers paths that nobody claims (JSON 404)."""

    def __init__(  # noqa: PLR0913  # services, and what limits requests
        self,
        counting: Counting,
        traffic: Traffic,
        creations: CreationLimit | None,
        keyed: KeyedLimit | None = None,
        *,
        count_prefetch: bool = False,
        public_counters: PublicCounters = "open",
    ) -> None:
        self._counting, self._traffic, self._creations, self._keyed = counting, traffic, creations, keyed
        self._count_prefetch, self._public_counters = count_prefetch, public_counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # no body is read
        """Answer one request."""
        raw_query = scope["query_string"]
        if raw_query or scope["method"] == "OPTIONS":
            answer, status, headers, body = await self._dressed(scope, raw_query)
        else:
            target = self._target(scope)
            answer = await self._answer(scope, target, {})
            status, body = answer.status, answer.body
            # The very object that the target holds: the answer is about the target's key, whose headers are made.
            if target is not None and answer.path is target.path and not answer.headers:
                headers = target.headers
            else:
                headers = _headers(_JSON, answer)
        self._traffic.answers[SURFACE, status] += 1
        if answer.refused is not None:
            self._traffic.refused(SURFACE, answer.refused)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _dressed(self, scope: Scope, raw_query: bytes) -> tuple[Payload, int, wire.Headers, bytes]:
        """The answer as JSON, as JSONP (``?callback=``: never fails at HTTP level) or as an image (``?img``)."""
        if scope["method"] == "OPTIONS":
            self._counting.note_request()
            return _ALLOWED, 204, _PREFLIGHT, b""
        if len(raw_query) > LONGEST_QUERY:
            self._counting.note_request()
            return _as_json(errors.TOO_LONG)
        parameters = wire.query(raw_query)
        try:
            callback = wire.callback_name(parameters)
        except InputRefused as error:
            self._counting.note_request()
            return _as_json(errors.bad_request(error))
        answer = await self._answer(scope, self._target(scope), parameters)
        if "img" in parameters:
            return answer, answer.status, _headers(_GIF, answer), PIXEL
        if callback is not None:
            return answer, 200, _headers(_SCRIPT, answer), wire.jsonp_body(callback, answer)
        return _as_json(answer)

    @staticmethod
    def _target(scope: Scope) -> RouteTarget | None:
        path = scope["path"]
        # Remembering paths is only bounded if each of them is.
        return target_of(path) if len(path) <= LONGEST_PATH else target_of.__wrapped__(path)

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
            log.exception("a request failed", surface=SURFACE)
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
        ahead, idempotency_key = _told_by(headers)
        counts = scope["method"] != "HEAD" and (self._count_prefetch or not ahead)
        if self._public_counters != "open":
            admit: Admit | None = _never
        else:
            admit = None if self._creations is None else partial(self._creations.admit, scope)
        key, path = target.key, target.path
        if key is None:
            key = _named_by_page(target, headers, parameters)
            path = str(key).encode()
        admit_keyed = None
        if idempotency_key is not None and self._keyed is not None:
            admit_keyed = partial(self._keyed.admit, scope)
        return Request(key, path, parameters, counts, admit, headers, idempotency_key, admit_keyed)


def _never() -> bool:
    return False


_METHODS = frozenset({"GET", "HEAD", "POST"})
_ALLOWED = Payload(204, b"")


def _as_json(answer: Payload) -> tuple[Payload, int, wire.Headers, bytes]:
    return answer, answer.status, _headers(_JSON, answer), answer.body


def _headers(dress: wire.Headers, answer: Payload) -> wire.Headers:
    if answer.path is not None:
        dress = (*dress, (b"x-path", answer.path))
    return (*dress, *answer.headers) if answer.headers else dress


def _told_by(headers: list[tuple[bytes, bytes]]) -> tuple[bool, bytes | None]:
    """Whether a browser asks ahead of time, and the sender's key; two keys make one that is refused."""
    ahead, key = False, None
    for name, value in headers:  # a plain loop: hot path
        if name in _LOOKED_AT:
            if name == _KEY_HEADER:
                key = value if key is None else key + b", " + value
            elif value.lower().startswith((b"prefetch", b"preview")):
                ahead = True
    return ahead, key


def _named_by_page(target: RouteTarget, headers: list[tuple[bytes, bytes]], parameters: dict[str, str]) -> Key:
    names = target.names
    assert names is not None
    key = wire.key_of(*names, wire.CallingPage(headers, parameters.get("page")))
    if key is None:
        raise InputRefused(errors.MALFORMED_NAME)
    return key
