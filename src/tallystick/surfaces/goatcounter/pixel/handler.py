"""``/count``: the pixel that ``count.js`` and ``<img>`` tags request. Plain ASGI, because this is the hot path.

The response is always the same image; its status and ``X-Goatcounter`` say whether the hit counted.
"""

import asyncio
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from tallystick.errors import AnalyticsElsewhere, NoSuchSite
from tallystick.services.ingest.ingest import Arrival, Dropped, DropReason, InvalidHit, Result
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter.api.headers import limit_headers
from tallystick.surfaces.goatcounter.errors import REASON_BY_STATUS, SURFACE, no_such_site, response_to
from tallystick.surfaces.goatcounter.pixel.query import PixelQuery, PixelRefused, pixel_query
from tallystick.surfaces.goatcounter.wire.decoding import LONGEST_AT_ONCE, LONGEST_QUERY
from tallystick.warehouse import Stored
from tallystick.web.address import ADDRESSES_REMEMBERED, ClientAddresses, host_of, rate_limit_name
from tallystick.web.api import refusal_reason
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.cors import ANY_HEADER
from tallystick.web.pixel import PIXEL
from tallystick.web.rate_limit import Admission, RateLimits
from tallystick.web.refusals import ApiRefused, Headers, RateLimited
from tallystick.web.traffic import Traffic

LONGEST_REASON = 500
METHODS = b"GET, HEAD, OPTIONS, POST"

Reply = tuple[int, Headers]

_HEADERS: Headers = (
    (b"content-type", b"image/gif"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"X-Goatcounter"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"cache-control", b"no-store, no-cache, max-age=0"),
    (b"content-length", b"%d" % len(PIXEL)),
)
_PREFLIGHT: Reply = (
    200,
    (
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", ANY_HEADER),
        (b"access-control-max-age", b"86400"),
        (b"allow", METHODS),
        (b"content-length", b"0"),
    ),
)
_COUNTED: Reply = (200, _HEADERS)
_NOT_ALLOWED: Reply = (405, (*_HEADERS, (b"allow", METHODS)))
_IMAGE = {"type": "http.response.body", "body": PIXEL}
_NOTHING = {"type": "http.response.body", "body": b""}

_OF_INTEREST = frozenset(
    {b"user-agent", b"accept-language", b"dnt", b"sec-gpc", b"sec-purpose", b"purpose", b"x-purpose", b"x-moz"}
)
_PREFETCH = frozenset({b"sec-purpose", b"purpose", b"x-purpose", b"x-moz"})

_REASONS = {
    DropReason.OPTED_OUT: "ignored because the browser asks not to be tracked",
    DropReason.SPAM_REFERRER: "ignored because the referrer is known for spam",
    DropReason.IGNORED_PATH: "ignored because the path is not one of a page",
}


class Pixel:
    """``/count`` as an ASGI application."""

    def __init__(self, services: Services, limits: RateLimits, addresses: ClientAddresses, traffic: Traffic) -> None:
        self._sites, self._ingest, self._clock = services.sites, services.ingest, services.ledger.clock
        self._limits, self._addresses, self._traffic = limits, addresses, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # no body is read
        """Answer one request. HEAD and OPTIONS never count."""
        method = scope["method"]
        if method in {"GET", "POST"}:
            status, headers = await self._count(scope)
        elif method == "HEAD":
            status, headers = _COUNTED
        else:
            status, headers = _PREFLIGHT if method == "OPTIONS" else _NOT_ALLOWED
        self._traffic.answers[SURFACE, status] += 1
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(_NOTHING if method in {"HEAD", "OPTIONS"} else _IMAGE)

    async def _count(self, scope: Scope) -> Reply:
        headers_read = {name: value for name, value in scope["headers"] if name in _OF_INTEREST}
        address = self._addresses.of(scope)
        admission = self._admission(address, headers_read)
        try:
            if admission is not None and not admission.admitted:
                raise RateLimited(admission)  # noqa: TRY301  # refusals become responses in one place
            host = host_of(scope)
            site = self._sites.known(host) or await self._sites.at(host)
            result = await self._ingest.record_one(site, await self._arrival(scope, headers_read, address))
            if self._sites.is_new_host(host) and isinstance(result, Stored):
                await self._sites.remember(site, host)
        except Exception as error:  # noqa: BLE001
            status, headers = self._refused(error)
        else:
            status, headers = _reply(result, address)
        return status, headers if admission is None else (*headers, *limit_headers(admission))

    def _admission(
        self, address: IPv4Address | IPv6Address | None, headers_read: dict[bytes, bytes]
    ) -> Admission | None:
        """Count the request for its limits; None for loopback, where proxies and tests send many clients' requests."""
        name = _limit_name(address)
        if not name:
            return None
        # The hash identifies the agent as well as its text does, and takes less memory.
        of_browser = self._limits.admit("count", hash((name, headers_read.get(b"user-agent"))))
        if not of_browser.admitted:
            return of_browser
        # Agents are easily forged.
        of_address = self._limits.admit_address("count-address", address)
        return of_browser if of_address.admitted else of_address

    async def _arrival(
        self, scope: Scope, headers_read: dict[bytes, bytes], address: IPv4Address | IPv6Address | None
    ) -> Arrival:
        received = self._clock() // 1000
        if not _PREFETCH.isdisjoint(headers_read) and _is_prefetch(headers_read):
            # Its parameters are not parsed.
            return Arrival(prefetch=True, direct=True, received=received)
        query = scope["query_string"]
        sent = pixel_query(query) if len(query) <= LONGEST_AT_ONCE else await _decoded_on_thread(query)
        return Arrival(
            path=sent.path,
            title=sent.title,
            event=sent.event,
            ref=sent.ref,
            query=sent.query,
            width=sent.width,
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

    def _refused(self, error: Exception) -> Reply:
        if isinstance(error, PixelRefused):
            self._traffic.refused(SURFACE, "bad request")
            return 400, _with_reason(str(error))
        response = response_to(error)
        reason = refusal_reason(response, REASON_BY_STATUS)
        self._traffic.refused(SURFACE, reason)
        if isinstance(error, NoSuchSite):
            reason = no_such_site(error.host)
        elif isinstance(error, AnalyticsElsewhere):
            reason = str(error)
        return response.status, (*_with_reason(reason), *response.headers)


async def _decoded_on_thread(query: bytes) -> PixelQuery:
    if len(query) > LONGEST_QUERY:
        msg = f"the query is longer than {LONGEST_QUERY} bytes"
        raise ApiRefused(msg, 414)
    return await asyncio.to_thread(pixel_query, query)


@lru_cache(ADDRESSES_REMEMBERED)
def _limit_name(address: IPv4Address | IPv6Address | None) -> str | None:
    return None if address is not None and address.is_loopback else rate_limit_name(address)


def _reply(result: Result, address: IPv4Address | IPv6Address | None) -> Reply:
    if isinstance(result, InvalidHit):
        return 400, _with_reason(f"not valid: {result}")
    if not isinstance(result, Dropped) or result.reason is DropReason.PREFETCH:
        return _COUNTED
    if result.reason is DropReason.IGNORED_ADDRESS:
        return 202, _with_reason(f'ignored because "{address}" is in the IP ignore list')
    return 202, _with_reason(_REASONS[result.reason])


def _with_reason(reason: str) -> Headers:
    """Headers with a reason, which may have no line breaks, and only characters of Latin-1."""
    line = " ".join(reason.split())[:LONGEST_REASON]
    text = "".join(sign if sign.isprintable() else "?" for sign in line)
    return (*_HEADERS, (b"x-goatcounter", text.encode("latin-1", "replace")))


def _is_prefetch(headers_read: dict[bytes, bytes]) -> bool:
    return any(headers_read.get(name, b"").lower().startswith((b"prefetch", b"preview")) for name in _PREFETCH)
