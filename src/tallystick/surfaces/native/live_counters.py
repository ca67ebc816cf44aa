"""The values of public counters as server-sent events, which any page may read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from tallystick.errors import StoreUnavailable
from tallystick.hub.hub import SUBSCRIPTIONS_AT_MOST, SubscriptionEnded, TooManySubscriptions
from tallystick.hub.watching import State, Watcher
from tallystick.model.key import Key, legal_name
from tallystick.services.feed.following import Following
from tallystick.web.address import ClientAddresses, rate_limit_name
from tallystick.web.answers import ApiResponse, send_response
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.event_stream import CONTENT_TYPE, RETRY, UNBUFFERED, send_events, stream_head
from tallystick.web.places import NoPlace, Places
from tallystick.web.refusals import ApiRefused, retry_after
from tallystick.web.routing import NoRoute

SEGMENT = "live"
STREAMS_AT_MOST = SUBSCRIPTIONS_AT_MOST * 3 // 4
"""Counters that connections without an account follow. The rest of the server's limit is reserved for subscriptions to
shared counters."""

STREAMS_OF_ONE_ADDRESS = 2_000
"""Many people may share an address: a company's, or that of a proxy that is not configured on this server."""
COUNTERS_OF_A_STREAM = 100
READ_WITHIN_S = 10.0
TRY_AGAIN_AFTER_S = 30

DELETED = b"event: deleted\ndata: {}\n\n"

_FOR_ANY_PAGE = ((b"access-control-allow-origin", b"*"), (b"cache-control", b"no-store"))
_STREAM = (
    *_FOR_ANY_PAGE,
    (b"content-type", CONTENT_TYPE),
    UNBUFFERED,
    (b"x-content-type-options", b"nosniff"),
)
_AGAIN = retry_after(TRY_AGAIN_AFTER_S)
_LEGAL = "3 to 64 letters, digits, dots, dashes and underscores"

_encode = msgspec.json.Encoder().encode


class LiveCounters:
    """``GET /live/NAMESPACE/KEY`` and ``GET /live?key=NAMESPACE/KEY&key=...`` as an ASGI application.

    Args:
        switched_off: whether this server has no public counters.
    """

    def __init__(self, following: Following, addresses: ClientAddresses, *, switched_off: bool = False) -> None:
        self._following, self._addresses, self._switched_off = following, addresses, switched_off
        self.hub = following.hub
        self._places = Places(STREAMS_AT_MOST, STREAMS_OF_ONE_ADDRESS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        client = rate_limit_name(self._addresses.of(scope))
        try:
            stream = self._stream_of(scope)
            self._places.take(client, len(stream.keys))
        except ApiRefused as refused:
            await _refuse(refused, scope, send)
            return
        except NoPlace as error:
            await _refuse(ApiRefused(str(error), 429 if error.own else 503, _AGAIN), scope, send)
            return
        try:
            await self._answer(stream, scope, receive, send)
        finally:
            self._places.give_back(client, len(stream.keys))

    def _stream_of(self, scope: Scope) -> "_OneCounter | _ManyCounters":
        if scope["method"] not in {"GET", "HEAD"}:
            raise NoRoute(("GET", "HEAD"))
        names = scope["path"].removesuffix("/").split("/")[2:]
        if names and len(names) != 2:  # noqa: PLR2004  # namespace and key
            raise NoRoute
        if self._switched_off:
            msg = "public counters are switched off on this server (--public-counters off)"
            raise ApiRefused(msg, 403)
        if not names:
            return _ManyCounters(_keys_of(scope["query_string"]))
        if not all(map(legal_name, names)):
            msg = f"a namespace and a key have {_LEGAL}"
            raise ApiRefused(msg, 400)
        return _OneCounter((Key(*names),))

    async def _answer(self, stream: "_OneCounter | _ManyCounters", scope: Scope, receive: Receive, send: Send) -> None:
        try:
            watcher = self._following.watch(*stream.keys)
        except (TooManySubscriptions, StoreUnavailable) as error:
            await _refuse(ApiRefused(str(error), 503, _AGAIN), scope, send)
            return
        try:
            first = await _first(watcher)
            events = stream.events(watcher, first)
            await send(stream_head(_STREAM))
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
            else:
                await send_events(events, receive, send)
        except ApiRefused as refused:
            await _refuse(refused, scope, send)
        finally:
            watcher.close()


def _keys_of(query: bytes) -> tuple[Key, ...]:
    """The counters that a query names, each once."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    names = dict.fromkeys(value for name, value in pairs if name == "key")
    if not names:
        msg = "name the counters: /live?key=NAMESPACE/KEY&key=NAMESPACE/KEY"
        raise ApiRefused(msg, 400)
    if len(names) > COUNTERS_OF_A_STREAM:
        msg = f"one connection follows {COUNTERS_OF_A_STREAM} counters at most"
        raise ApiRefused(msg, 400)
    keys = [name.split("/") for name in names]
    if not all(len(parts) == 2 and all(map(legal_name, parts)) for parts in keys):  # noqa: PLR2004
        msg = f"each key is NAMESPACE/KEY, and both have {_LEGAL}"
        raise ApiRefused(msg, 400)
    return tuple(Key(*parts) for parts in keys)


async def _first(watcher: Watcher) -> tuple[Key, State] | None:
    """The first present state. None when the server restarts: an EventSource does not reconnect after a refusal."""
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            return await watcher.next()
    except SubscriptionEnded:
        return None
    except TimeoutError as error:
        msg = "the counter cannot be read now"
        raise ApiRefused(msg, 503, _AGAIN) from error


class _OneCounter(Struct, frozen=True):
    """The stream of one counter, which must exist, and ends when it is deleted."""

    keys: tuple[Key, ...]

    def events(self, watcher: Watcher, first: tuple[Key, State] | None) -> AsyncIterator[bytes]:
        if first is not None and first[1] is None:
            msg = "there is no such counter"
            raise ApiRefused(msg, 404)
        return self._events(watcher, first)

    async def _events(self, watcher: Watcher, first: tuple[Key, State] | None) -> AsyncIterator[bytes]:
        yield RETRY
        async for _, state in _states(watcher, first):
            if state is None:
                yield DELETED
                return
            yield b"id: %d\ndata: %b\n\n" % (state.version, _encode({"value": state.value, "version": state.version}))


class _ManyCounters(Struct, frozen=True):
    """The stream of several counters. Those that do not exist follow when they are created."""

    keys: tuple[Key, ...]

    async def events(self, watcher: Watcher, first: tuple[Key, State] | None) -> AsyncIterator[bytes]:
        yield RETRY
        known: set[Key] = set()
        async for key, state in _states(watcher, first):
            if state is not None:
                known.add(key)
                told = {"key": str(key), "value": state.value, "version": state.version}
                yield b"data: %b\n\n" % _encode(told)
            else:
                kind = b"deleted" if key in known else b"missing"
                yield b"event: %b\ndata: %b\n\n" % (kind, _encode({"key": str(key)}))


async def _states(watcher: Watcher, first: tuple[Key, State] | None) -> AsyncIterator[tuple[Key, State]]:
    with suppress(SubscriptionEnded):
        if first is not None:
            yield first
        while True:
            yield await watcher.next()


async def _refuse(refused: ApiRefused, scope: Scope, send: Send) -> None:
    body = _encode({"error": str(refused)})
    response = ApiResponse(refused.status, body, refused.headers, content_type=b"application/json")
    await send_response(response, [*_FOR_ANY_PAGE], scope, send)
