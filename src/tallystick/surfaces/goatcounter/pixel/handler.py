"""``/count``: the pixel that ``count.js`` and ``<img>`` tags request, as an ASGI application.

Nearly all of its requests are usual and answered by ``hot.py``, with the same functions; the others come here.
"""

import asyncio
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from tallystick.errors import AnalyticsElsewhere, NoSuchSite
from tallystick.services.ingest.ingest import Arrival
from tallystick.services.ingest.sources import host_of_url
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter.api.headers import limit_headers
from tallystick.surfaces.goatcounter.errors import REASON_BY_STATUS, SURFACE, no_such_site, response_to
from tallystick.surfaces.goatcounter.pixel.query import PixelQuery, PixelRefused, pixel_query
from tallystick.surfaces.goatcounter.pixel.replies import COUNTED, NOT_ALLOWED, PREFLIGHT, Reply, reply_to, with_reason
from tallystick.surfaces.goatcounter.wire.decoding import LONGEST_AT_ONCE, LONGEST_QUERY
from tallystick.warehouse import Stored
from tallystick.web.address import ClientAddresses, host_of, limit_name
from tallystick.web.api import refusal_reason
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.pixel import PIXEL
from tallystick.web.prefetch import PREFETCH, is_prefetch
from tallystick.web.rate_limit import UNLIMITED, Admission, RateLimits
from tallystick.web.refusals import ApiRefused, RateLimited
from tallystick.web.traffic import Traffic

PAGES_REMEMBERED = 8_192

_OF_INTEREST = PREFETCH | {b"user-agent", b"accept-language", b"dnt", b"sec-gpc", b"referer", b"origin"}
_IMAGE = {"type": "http.response.body", "body": PIXEL}
_NOTHING = {"type": "http.response.body", "body": b""}


class Pixel:
    """``/count`` as an ASGI application."""

    def __init__(self, services: Services, limits: RateLimits, addresses: ClientAddresses, traffic: Traffic) -> None:
        self.sites, self.ingest, self.clock = services.sites, services.ingest, services.ledger.clock
        self.addresses, self.traffic = addresses, traffic
        self._limits, self._is_unlimited = limits, limits.is_off("count") and limits.is_off("count-address")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # no body is read
        """Answer one request. HEAD and OPTIONS never count."""
        method = scope["method"]
        if method in {"GET", "POST"}:
            status, headers = await self._count(scope)
        elif method == "HEAD":
            status, headers = COUNTED
        else:
            status, headers = PREFLIGHT if method == "OPTIONS" else NOT_ALLOWED
        self.traffic.answers[SURFACE, status] += 1
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(_NOTHING if method in {"HEAD", "OPTIONS"} else _IMAGE)

    async def _count(self, scope: Scope) -> Reply:
        headers_read = headers_of_interest(scope["headers"])
        address = self.addresses.of(scope)
        admission = self.admission(limit_name(address), address, headers_read.get(b"user-agent"))
        try:
            if admission is not None and not admission.admitted:
                raise RateLimited(admission)  # noqa: TRY301  # refusals become responses in one place
            host = host_of(scope)
            site = self.sites.known(host) or await self.sites.at(host)
            result = await self.ingest.record_one(site, await self._arrival(scope, headers_read, address))
            if self.sites.is_new_host(host) and isinstance(result, Stored):
                await self.sites.remember(site, host)
        except Exception as error:  # noqa: BLE001
            status, headers = self.reply_to_error(error)
        else:
            status, headers = reply_to(result, address)
        return status, headers if admission is None else (*headers, *limit_headers(admission))

    def admission(
        self, name: str | None, address: IPv4Address | IPv6Address | None, agent: bytes | None
    ) -> Admission | None:
        """Count the request for its limits.

        Args:
            name: ``limit_name`` of the address.

        Returns:
            What the limits say; None where there is no name.
        """
        if not name:
            return None
        if self._is_unlimited:
            return UNLIMITED
        of_browser = self._limits.admit_browser("count", name, agent)
        if not of_browser.admitted:
            return of_browser
        # Agents are easily forged.
        of_address = self._limits.admit_address("count-address", address)
        return of_browser if of_address.admitted else of_address

    async def _arrival(
        self, scope: Scope, headers_read: dict[bytes, bytes], address: IPv4Address | IPv6Address | None
    ) -> Arrival:
        received = self.clock() // 1000
        if is_prefetch(headers_read):
            # Its parameters are not parsed.
            return Arrival(prefetch=True, direct=True, received=received)
        query = scope["query_string"]
        sent = pixel_query(query) if len(query) <= LONGEST_AT_ONCE else await _decoded_on_thread(query)
        return arrival_of(sent, headers_read, address, received)

    def reply_to_error(self, error: Exception) -> Reply:
        """The reply to an error, counted for the metrics."""
        if isinstance(error, PixelRefused):
            self.traffic.refused(SURFACE, "bad request")
            return 400, with_reason(str(error))
        response = response_to(error)
        reason = refusal_reason(response, REASON_BY_STATUS)
        self.traffic.refused(SURFACE, reason)
        if isinstance(error, NoSuchSite):
            reason = no_such_site(error.host)
        elif isinstance(error, AnalyticsElsewhere):
            reason = str(error)
        return response.status, (*with_reason(reason), *response.headers)


def headers_of_interest(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers that say something of the hit; of a repeated one the last."""
    return {name: value for name, value in headers if name in _OF_INTEREST}


def arrival_of(
    sent: PixelQuery, headers_read: dict[bytes, bytes], address: IPv4Address | IPv6Address | None, received: int
) -> Arrival:
    """A hit as a page and its browser describe it.

    Args:
        received: Unix seconds.
    """
    return Arrival(
        path=sent.path,
        title=sent.title,
        event=sent.event,
        ref=sent.ref,
        query=sent.query,
        host=page_host(headers_read.get(b"referer"), headers_read.get(b"origin")),
        width=sent.width,
        page=sent.page,
        props=sent.props,
        bot=sent.bot,
        agent=headers_read.get(b"user-agent", b"").decode("latin-1"),
        address=address,
        language=headers_read.get(b"accept-language", b"").decode("latin-1"),
        no_session=sent.no_session,
        direct=True,
        gpc=headers_read.get(b"sec-gpc") == b"1",
        dnt=headers_read.get(b"dnt") == b"1",
        received=received,
    )


@lru_cache(PAGES_REMEMBERED)
def page_host(referer: bytes | None, origin: bytes | None) -> str:
    """The host of the page that requests the pixel; empty when the browser does not tell it."""
    return host_of_url((referer or origin or b"").decode("latin-1"))


async def _decoded_on_thread(query: bytes) -> PixelQuery:
    if len(query) > LONGEST_QUERY:
        msg = f"the query is longer than {LONGEST_QUERY} bytes"
        raise ApiRefused(msg, 414)
    return await asyncio.to_thread(pixel_query, query)
