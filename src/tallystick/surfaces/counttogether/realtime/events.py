"""Server-sent events: the changes that WebSockets get, as a stream."""

from collections.abc import AsyncIterator
from contextlib import suppress

from msgspec import Struct

from tallystick.errors import StoreUnavailable
from tallystick.hub.hub import Subscription, SubscriptionEnded
from tallystick.services.services import Services
from tallystick.surfaces.counttogether.api.calling import CounterCall
from tallystick.surfaces.counttogether.errors import Malformed
from tallystick.surfaces.counttogether.realtime.frames import ChangeEncoder, connected_event
from tallystick.surfaces.counttogether.realtime.opening import NO_OFFSET, ResumePoint, missed, resume_in, subscribed
from tallystick.surfaces.counttogether.zones import zone_of
from tallystick.web.answers import ApiResponse, Stream
from tallystick.web.asgi import Receive, Send
from tallystick.web.event_stream import CONTENT_TYPE, RETRY, UNBUFFERED, send_events

FIRST_CONNECTION = ResumePoint("", NO_OFFSET)
"""Recovers nothing."""


async def events_v1(services: Services, call: CounterCall) -> ApiResponse | Stream:
    """The person's counters as they change, in v1's form."""
    return await _events(services, call, version=1)


async def events_v2(services: Services, call: CounterCall) -> ApiResponse | Stream:
    """The person's counters as they change, in v2's form."""
    return await _events(services, call, version=2)


async def _events(services: Services, call: CounterCall, version: int) -> ApiResponse | Stream:
    zone, resume = await zone_of(call.query, call.account), _resume(call)
    if call.scope["method"] == "HEAD":
        return ApiResponse(200, headers=((b"content-type", CONTENT_TYPE), UNBUFFERED))
    subscription = await subscribed(services.following, call.principal, zone)
    encoder = ChangeEncoder(version, zone, services.following.epoch, services.ledger.clock)
    stream = _EventStream(services, subscription, encoder, resume)
    return Stream(CONTENT_TYPE, stream.run, (UNBUFFERED,), subscription.close)


def _resume(call: CounterCall) -> ResumePoint:
    """The position to resume from: the ``Last-Event-ID``, or the query."""
    # Replacements of the browser's EventSource cannot always set the header; they use this parameter.
    last = call.header(b"last-event-id") or call.query.get("lastEventId")
    if not last:
        return resume_in(call.query) or FIRST_CONNECTION
    epoch, _, offset = last.rpartition(":")
    try:
        return resume_in({"epoch": epoch, "offset": offset}) or FIRST_CONNECTION
    except Malformed:
        # Browsers send the last id they received, even one of another server. A refusal would repeat for ever.
        return FIRST_CONNECTION


class _EventStream(Struct, frozen=True):
    """One stream of server-sent events."""

    services: Services
    subscription: Subscription
    encoder: ChangeEncoder
    resume: ResumePoint

    async def run(self, receive: Receive, send: Send) -> None:
        """Send events until either side ends it."""
        await send_events(self._events(), receive, send)

    async def _events(self) -> AsyncIterator[bytes]:
        # A client that is cut off reconnects with the id of its last event.
        with suppress(SubscriptionEnded, StoreUnavailable):
            place, changes = await missed(self.services.following, self.subscription, self.resume)
            yield RETRY + connected_event(place)
            for change in changes:
                yield self.encoder.event(change)
            while True:
                yield self.encoder.event(await self.subscription.next())
