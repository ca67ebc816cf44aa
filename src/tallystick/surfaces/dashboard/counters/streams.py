"""The values of a person's counters as they change: ``/counters/live``, server-sent events."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import closing, suppress
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tallystick.errors import StoreUnavailable
from tallystick.hub.hub import Subscription, SubscriptionEnded, TooManySubscriptions
from tallystick.ledger import Ledger
from tallystick.model.change import Change
from tallystick.services.feed.following import Following
from tallystick.services.sharing.access import counters_of
from tallystick.services.zones import today_in
from tallystick.surfaces.dashboard.counters.pages import value_of, zone_of
from tallystick.surfaces.dashboard.support.event_streams import (
    CHECKED_EVERY_S,
    ENDED,
    STREAMS_OF_ONE,
    StreamResponse,
    send_stream,
)
from tallystick.surfaces.dashboard.support.page_request import PageGuard, PageRequest
from tallystick.web.event_stream import RETRY
from tallystick.web.places import NoPlace, Places

STREAMS_AT_MOST = 500

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
        return StreamResponse(partial(self._send, request, await zone_of(request)))

    async def _send(self, request: PageRequest, zone: ZoneInfo, scope: Scope, receive: Receive, send: Send) -> None:
        with self._places.held(request.account.id):
            try:
                subscription = await self._following.subscribe(request.account.id, None, zone)
            except TooManySubscriptions as error:
                raise NoPlace(own=error.own) from error
            with closing(subscription):
                await send_stream(self._events(request, zone, subscription), scope, receive, send)

    async def _events(self, request: PageRequest, zone: ZoneInfo, subscription: Subscription) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        yield RETRY
        # Where the stores fail the stream ends, and the browser reconnects.
        with suppress(StoreUnavailable, SubscriptionEnded):
            today = today_in(zone, request.now)
            present = await self._ledger.read(counters_of, request.account.id)
            # A page may have missed changes before it connected.
            yield _event([{"counter": each.uid, **_state(value_of(each, today), each.version)} for each in present])
            check_at = clock() + CHECKED_EVERY_S
            while True:
                # Also where changes come so often that the wait below never ends by itself.
                if clock() >= check_at:
                    if not await self._still_logged_in(request):
                        yield ENDED
                        return
                    check_at = clock() + CHECKED_EVERY_S
                try:
                    async with asyncio.timeout_at(check_at):
                        change = await subscription.next()
                except TimeoutError:
                    continue
                if change.kind != "members":
                    yield _event([_told(change, today_in(zone, self._ledger.clock()))])

    async def _still_logged_in(self, request: PageRequest) -> bool:
        again = await self._guard.page_request(request.http)
        return again.principal is not None and again.account.id == request.account.id


def _told(change: Change, today: dt.date) -> Mapping[str, Any]:
    if change.kind == "deleted" or change.state is None:
        return {"counter": change.counter, "gone": True}
    return {"counter": change.counter, **_state(value_of(change.state, today), change.state.version)}


def _state(value: int, version: int) -> dict[str, Any]:
    # As a text: JavaScript's numbers do not hold 64 bits.
    return {"value": str(value), "version": version}


def _event(told: list[Mapping[str, Any]]) -> bytes:
    return b"event: counters\ndata: %b\n\n" % _encode(told)
