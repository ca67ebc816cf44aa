"""``POST /api/event``: pages and programs tell pageviews and events (contract 6)."""

import asyncio
from collections.abc import Awaitable, Mapping
from ipaddress import IPv4Address, IPv6Address

import msgspec

from tallystick.errors import NoSuchSite
from tallystick.model.hit import is_bot
from tallystick.model.site import Site
from tallystick.services.ingest.ingest import Arrival, Dropped, InvalidHit
from tallystick.services.services import Services
from tallystick.surfaces.plausible.errors import COMMON, REASON_BY_STATUS, SURFACE, response_to
from tallystick.surfaces.plausible.event_bodies import BadEvent, SentEvent, sent_event
from tallystick.web.address import ClientAddresses, limit_name
from tallystick.web.answers import AnyResponse, ApiResponse, send_response
from tallystick.web.api import Api, ApiRequest
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.bodies import body_of
from tallystick.web.prefetch import PREFETCH, is_prefetch
from tallystick.web.rate_limit import RateLimits
from tallystick.web.refusals import ApiRefused, Headers, RateLimited
from tallystick.web.traffic import Traffic

EVENT = "/api/event"
EVENT_LIMIT, ADDRESS_LIMIT = "plausible-event", "plausible-event-address"
LARGEST_EVENT = 1_000_000
LONGEST_AT_ONCE = 64 * 1024
"""Bytes of a body that are decoded on the event loop; longer ones are decoded on a thread."""

EVENT_COMMON: Headers = tuple(
    (name, value + b", X-Plausible-Dropped" if name == b"access-control-expose-headers" else value)
    for name, value in COMMON
)
EVENT_PREFLIGHT: Headers = (
    *EVENT_COMMON,
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"Content-Type, X-Debug-Request"),
    (b"access-control-max-age", b"86400"),
    (b"allow", b"OPTIONS, POST"),
)

_TEXT = b"text/plain; charset=utf-8"
_encode = msgspec.json.Encoder().encode


class EventsApi(Api):
    """``/api/event`` as an ASGI application."""

    surface = SURFACE
    reasons = REASON_BY_STATUS
    preflight = EVENT_PREFLIGHT
    headers_read = PREFETCH | {b"user-agent", b"accept-language", b"dnt", b"sec-gpc", b"x-debug-request"}

    def __init__(self, services: Services, limits: RateLimits, addresses: ClientAddresses, traffic: Traffic) -> None:
        super().__init__(traffic)
        self._sites, self._ingest, self._clock = services.sites, services.ingest, services.ledger.clock
        self._limits, self._addresses = limits, addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Preflights get 204, as Plausible's do."""
        if scope["method"] != "OPTIONS":
            await super().__call__(scope, receive, send)
            return
        self._traffic.answered(self.surface, 204)
        await send_response(ApiResponse(204), list(self.preflight), scope, send)

    async def judge(self, request: ApiRequest, receive: Receive) -> AnyResponse:
        """Route, limit, body; then each site."""
        scope, headers = request.scope, request.headers
        if scope["method"] != "POST" or scope["path"].removesuffix("/") != EVENT:
            msg = "not found"
            raise ApiRefused(msg, 404)
        address = self._addresses.of(scope)
        self._admit(address, headers.get(b"user-agent"))
        if headers.get(b"x-debug-request") == b"true":
            return ApiResponse(200, f"{address or 'unknown'}".encode(), content_type=_TEXT)
        raw = await body_of(scope, receive, LARGEST_EVENT)
        if raw is None:
            msg = f"the body is larger than {LARGEST_EVENT:,} bytes"
            raise ApiRefused(msg, 413)
        sent = sent_event(raw) if len(raw) <= LONGEST_AT_ONCE else await asyncio.to_thread(sent_event, raw)
        if not sent.counts:
            return _told(len(sent.domains))
        return _told(await self._record(sent, headers, address))

    def _admit(self, address: IPv4Address | IPv6Address | None, agent: bytes | None) -> None:
        name = limit_name(address)
        if name is None:
            return
        admission = self._limits.admit_browser(EVENT_LIMIT, name, agent)
        if admission.admitted:
            # Agents are easily forged.
            admission = self._limits.admit_address(ADDRESS_LIMIT, address)
        if not admission.admitted:
            raise RateLimited(admission)

    async def _record(
        self, sent: SentEvent, headers: Mapping[bytes, bytes], address: IPv4Address | IPv6Address | None
    ) -> int:
        """Record a hit for each of its sites.

        Returns:
            How many of its domains it was dropped for.
        """
        dropped = 0
        done: set[int] = set()
        for domain in sent.domains:
            try:
                site = await self._sites.named(domain)
                if site.id not in done:  # a site has several names
                    done.add(site.id)
                    dropped += not await self._is_counted(site, arrival_of(sent, headers, address, self._clock()))
            except NoSuchSite:
                dropped += 1  # trackers never try again, and a page must not fail
        return dropped

    async def _is_counted(self, site: Site, arrival: Arrival) -> bool:
        """Record one hit. A bot's is stored, but counts as dropped."""
        result = await self._ingest.record_one(site, arrival)
        if isinstance(result, InvalidHit):
            raise BadEvent({"request": str(result)})
        return not isinstance(result, Dropped) and not is_bot(arrival.bot)

    def response_to(self, error: Exception) -> ApiResponse:
        """The response to an error."""
        if isinstance(error, BadEvent):
            return ApiResponse(400, _encode({"errors": {field: [text] for field, text in error.errors.items()}}))
        return response_to(error)

    def send(self, response: AnyResponse, request: ApiRequest, receive: Receive, send: Send) -> Awaitable[None]:  # noqa: ARG002  # there are no streams here
        """Send a response with CORS."""
        assert isinstance(response, ApiResponse)
        return send_response(response, list(EVENT_COMMON), request.scope, send)


def arrival_of(
    sent: SentEvent, headers: Mapping[bytes, bytes], address: IPv4Address | IPv6Address | None, now: int
) -> Arrival:
    """A hit as a page and its browser describe it.

    Args:
        now: Unix milliseconds.
    """
    return Arrival(
        path=sent.path,
        event=sent.event,
        ref=sent.ref,
        query=sent.query,
        host=sent.host,
        width=sent.width,
        page=sent.page,
        props=sent.props,
        interactive=sent.interactive,
        agent=headers.get(b"user-agent", b"").decode("latin-1"),
        address=address,
        language=headers.get(b"accept-language", b"").decode("latin-1"),
        direct=True,
        prefetch=is_prefetch(headers),
        gpc=headers.get(b"sec-gpc") == b"1",
        dnt=headers.get(b"dnt") == b"1",
        received=now // 1000,
    )


def _told(dropped: int) -> ApiResponse:
    headers = ((b"x-plausible-dropped", b"%d" % dropped),) if dropped else ()
    return ApiResponse(202, b"ok", headers, content_type=_TEXT)
