"""The values of a person's counters as they change: ``/counters/live``, server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tallystick.errors import StoreUnavailable
from tallystick.hub.hub import Subscription, SubscriptionEnded, TooManySubscriptions
from tallystick.ledger import Ledger
from tallystick.model.change import Change
from tallystick.services.feed.following import Following
from tallystick.services.sharing.access import counters_of
from tallystick.surfaces.dashboard.counters.pages import PersonalZone, value_of, zone_of
from tallystick.surfaces.dashboard.support.page_request import PageGuard, PageRequest
from tallystick.web.event_stream import CONTENT_TYPE, RETRY, UNBUFFERED, send_events, stream_head
from tallystick.web.places import NoPlace, Places

STREAMS_AT_MOST = 500
STREAMS_OF_ONE = 12
"""Streams of one person. Pages close theirs while they are hidden."""
CHECKED_EVERY_S = 20.0
"""Interval at which a stream checks that its reader is still logged in."""
TRY_AGAIN_AFTER_S = 30

_ENDED = b"event: ended\ndata: {}\n\n"
"""The reader is not logged in any more; reconnecting would be in vain."""
_TOO_MANY = "Too many pages show live numbers at once. Close some, and reload this page."
_HEAD = (
    (b"content-type", CONTENT_TYPE),
    (b"cache-control", b"private, no-store"),
    (b"x-content-type-options", b"nosniff"),
    UNBUFFERED,
)

_encode = msgspec.json.Encoder().encode


class CounterStreams:
    """Sends each change of a person's counters to the pages that the person has open.

    Streams end when the hub ends all its subscriptions, before the server stops.
    """

    def __init__(self, ledger: Ledger, following: Following, guard: PageGuard) -> None:
        self._ledger, self._following, self._guard = ledger, following, guard
        self._places = Places(STREAMS_AT_MOST, STREAMS_OF_ONE)

    async def stream(self, request: PageRequest) -> Response:
        """A stream for a person; or, where there are too many, the refusal."""
        return _StreamResponse(self._send, request, await zone_of(request))

    async def _send(self, request: PageRequest, zone: PersonalZone, scope: Scope, receive: Receive, send: Send) -> None:
        self._places.take(request.account.id)
        try:
            subscription = await self._following.subscribe(request.account.id, None, zone.zone)
            try:
                await send(stream_head(_HEAD))
                if scope["method"] == "HEAD":
                    await send({"type": "http.response.body", "body": b""})
                else:
                    await send_events(self._events(request, zone, subscription), receive, send)
            finally:
                subscription.close()
        finally:
            self._places.give_back(request.account.id)

    async def _events(
        self, request: PageRequest, zone: PersonalZone, subscription: Subscription
    ) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        yield RETRY
        # Where the stores fail the stream ends, and the browser reconnects.
        with suppress(StoreUnavailable, SubscriptionEnded):
            present = await self._ledger.read(counters_of, request.account.id)
            # A page may have missed changes before it connected.
            yield _event(
                [{"counter": each.uid, **_state(value_of(each, zone.today), each.version)} for each in present]
            )
            check_at = clock() + CHECKED_EVERY_S
            while True:
                try:
                    async with asyncio.timeout_at(check_at):
                        change = await subscription.next()
                except TimeoutError:
                    if not await self._still_logged_in(request):
                        yield _ENDED
                        return
                    check_at = clock() + CHECKED_EVERY_S
                else:
                    if change.kind != "members":
                        yield _event([await self._told(request, change)])

    async def _told(self, request: PageRequest, change: Change) -> Mapping[str, Any]:
        if change.kind == "deleted" or change.state is None:
            return {"counter": change.counter, "gone": True}
        now = msgspec.structs.replace(request, now=self._ledger.clock())
        return {
            "counter": change.counter,
            **_state(value_of(change.state, (await zone_of(now)).today), change.state.version),
        }

    async def _still_logged_in(self, request: PageRequest) -> bool:
        again = await self._guard.page_request(request.http)
        return again.principal is not None and again.account.id == request.account.id


class _StreamResponse(Response):
    """Sends a stream when it is called; a place is taken only then, so that none is lost before."""

    def __init__(self, run: Callable[..., Awaitable[None]], request: PageRequest, zone: PersonalZone) -> None:
        super().__init__()
        self._run, self._request, self._zone = run, request, zone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await self._run(self._request, self._zone, scope, receive, send)
        except NoPlace as error:
            await _refusal(429 if error.own else 503)(scope, receive, send)
        except TooManySubscriptions as error:
            await _refusal(429 if error.own else 503)(scope, receive, send)


def _refusal(status: int) -> Response:
    return JSONResponse({"error": _TOO_MANY}, status, {"retry-after": str(TRY_AGAIN_AFTER_S)})


def _state(value: int, version: int) -> dict[str, Any]:
    # As a text: JavaScript's numbers do not hold 64 bits.
    return {"value": str(value), "version": version}


def _event(told: list[Mapping[str, Any]]) -> bytes:
    return b"event: counters\ndata: %b\n\n" % _encode(told)
