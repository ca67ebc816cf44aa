"""The values of a public counter as server-sent events, which any page may read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from tallystick.errors import StoreUnavailable
from tallystick.hub.hub import SUBSCRIPTIONS_AT_MOST, SubscriptionEnded, TooManySubscriptions
from tallystick.hub.watching import Watcher
from tallystick.model.counter import Counter
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
"""Connections without an account. The rest of the server's limit is reserved for subscriptions to shared counters."""

STREAMS_OF_ONE_ADDRESS = 2_000
"""Many people may share an address: a company's, or that of a proxy that is not configured on this server."""
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

_encode = msgspec.json.Encoder().encode


class LiveCounters:
    """``GET /live/NAMESPACE/KEY`` as an ASGI application.

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
            key = self._key_of(scope)
            self._places.take(client)
        except ApiRefused as refused:
            await _refuse(refused, scope, send)
            return
        except NoPlace as error:
            await _refuse(ApiRefused(str(error), 429 if error.own else 503, _AGAIN), scope, send)
            return
        try:
            await self._answer(key, scope, receive, send)
        finally:
            self._places.give_back(client)

    def _key_of(self, scope: Scope) -> Key:
        if scope["method"] not in {"GET", "HEAD"}:
            raise NoRoute(("GET", "HEAD"))
        names = scope["path"].removesuffix("/").split("/")[2:]
        if len(names) != 2:  # noqa: PLR2004  # namespace and key
            raise NoRoute
        if self._switched_off:
            msg = "public counters are switched off on this server (--public-counters off)"
            raise ApiRefused(msg, 403)
        if not all(map(legal_name, names)):
            msg = "a namespace and a key have 3 to 64 letters, digits, dots, dashes and underscores"
            raise ApiRefused(msg, 400)
        return Key(*names)

    async def _answer(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            watcher = self._following.watch(key)
        except (TooManySubscriptions, StoreUnavailable) as error:
            await _refuse(ApiRefused(str(error), 503, _AGAIN), scope, send)
            return
        try:
            first = await _first(watcher)
            await send(stream_head(_STREAM))
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
            else:
                await send_events(_events(watcher, first), receive, send)
        except ApiRefused as refused:
            await _refuse(refused, scope, send)
        finally:
            watcher.close()


async def _first(watcher: Watcher) -> Counter | None:
    """The present state. None when the server restarts: an EventSource does not reconnect after a refusal."""
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            state = await watcher.next()
    except SubscriptionEnded:
        return None
    except TimeoutError as error:
        msg = "the counter cannot be read now"
        raise ApiRefused(msg, 503, _AGAIN) from error
    if state is None:
        msg = "there is no such counter"
        raise ApiRefused(msg, 404)
    return state


async def _events(watcher: Watcher, first: Counter | None) -> AsyncIterator[bytes]:
    with suppress(SubscriptionEnded):
        yield RETRY if first is None else RETRY + _event(first)
        while (state := await watcher.next()) is not None:
            yield _event(state)
        yield DELETED


def _event(counter: Counter) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (counter.version, _encode({"value": counter.value, "version": counter.version}))


async def _refuse(refused: ApiRefused, scope: Scope, send: Send) -> None:
    body = _encode({"error": str(refused)})
    response = ApiResponse(refused.status, body, refused.headers, content_type=b"application/json")
    await send_response(response, [*_FOR_ANY_PAGE], scope, send)
