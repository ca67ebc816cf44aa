"""The pixel in the hot lane (``server/DESIGN.md``): hits that are judged without waiting.

What repeats from hit to hit is cached in parts (``services/ingest/parts.py``). Everything unusual is left to
``handler.py``, as are hits that are refused or dropped.
"""

from functools import lru_cache

from tallystick.server.hot_lane import Answer, HotRequest, header_lines
from tallystick.services.ingest.collection_rules import CollectionRules
from tallystick.services.ingest.parts import BrowserPart, PagePart, SenderPart, browser_part, page_part, sender_part
from tallystick.surfaces.goatcounter.api.headers import limit_headers
from tallystick.surfaces.goatcounter.errors import SURFACE
from tallystick.surfaces.goatcounter.pixel.handler import Pixel, arrival_of, page_host
from tallystick.surfaces.goatcounter.pixel.query import NOTHING_SENT, PixelRefused, parsed, repeated_part
from tallystick.surfaces.goatcounter.pixel.replies import COUNTED
from tallystick.warehouse import Stored
from tallystick.web.address import bare_host_of, limit_name
from tallystick.web.asgi import Scope
from tallystick.web.pixel import PIXEL
from tallystick.web.prefetch import PREFETCH
from tallystick.web.rate_limit import UNLIMITED, Admission
from tallystick.web.refusals import RateLimited

PREFIX = b"/count?"

PARTS_CACHED = 8_192
LONGEST_HEADERS = 1_024
"""Bytes of the headers that a cached part is looked up by."""

Sender = tuple[SenderPart, str | None]
"""With the client's name in limits."""

_BEGINS = len(PREFIX)
_COUNTED_LINES = header_lines(COUNTED[1])
_COUNTED: Answer = (COUNTED[0], _COUNTED_LINES, PIXEL)
_COUNTED_UNLIMITED: Answer = (COUNTED[0], _COUNTED_LINES + header_lines(limit_headers(UNLIMITED)), PIXEL)
_OK = (SURFACE, COUNTED[0])


class HotPixel:
    """The pixel's lane. A request's context is what the limits said.

    Attributes:
        pixel: takes what the lane leaves.
    """

    def __init__(self, pixel: Pixel) -> None:
        self.pixel, self._sites, self._ingest, self._answers = pixel, pixel.sites, pixel.ingest, pixel.traffic.answers
        self._page = lru_cache(PARTS_CACHED)(_page)
        self._browser = lru_cache(PARTS_CACHED)(_browser)
        self._sender = lru_cache(PARTS_CACHED)(self._sender_of)

    def take(self, request: HotRequest) -> str | None:
        """See ``HotLane``. Everything that can fail or has to wait comes before the limits are counted."""
        headers, scope = dict(request.headers), request.scope
        if len(headers) != len(request.headers):
            return "repeated header"
        now = self.pixel.clock()
        rules = self._rules_at(bare_host_of(headers.get(b"host", b"")), now)
        if isinstance(rules, str):
            return rules
        parts = self._parts(rules, request.url[_BEGINS:], headers, scope)
        if isinstance(parts, str):
            return parts
        page, browser, (sender, name) = parts
        hit = self._ingest.hit_at_once(rules, page, browser, sender, now // 1000)
        if isinstance(hit, str):
            return hit
        request.context = admission = self.pixel.admission(name, sender.address, headers.get(b"user-agent"))
        try:
            if admission is not None and not admission.admitted:
                raise RateLimited(admission)  # noqa: TRY301  # refusals become answers in one place
            self._ingest.store_into(request, hit)
        except Exception as error:  # noqa: BLE001
            request.respond(self.refuse(request, error))
        return None

    def _rules_at(self, host: str, now: int) -> CollectionRules | str:
        """The rules of the host's site; or why its hits are left."""
        site = self._sites.known(host)
        if site is None:
            return "site not cached"
        return "new host" if self._sites.is_new_host(host) else self._ingest.rules_at_once(site, now)

    def _parts(
        self, rules: CollectionRules, query: bytes, headers: dict[bytes, bytes], scope: Scope
    ) -> tuple[PagePart, BrowserPart, Sender] | str:
        """The parts of a hit; or why it is left."""
        parameters = repeated_part(query)
        if parameters is None:
            return "long query"
        if b"#" in query:
            return "fragment"
        if not PREFETCH.isdisjoint(headers):
            return "prefetch"
        get = headers.get
        agent, language = get(b"user-agent", b""), get(b"accept-language", b"")
        forwarded, client = get(self.pixel.addresses.header), scope["client"]
        referer, origin = get(b"referer"), get(b"origin")
        if len(agent) + len(language) + len(forwarded or b"") + len(referer or origin or b"") > LONGEST_HEADERS:
            return "long headers"
        page = self._page(rules, parameters, page_host(referer, origin))
        browser = self._browser(rules, agent, language, get(b"sec-gpc"), get(b"dnt"))
        sender = self._sender(rules, client and client[0], scope["server"], forwarded)
        return "refused" if page is None or browser is None or sender is None else (page, browser, sender)

    def _sender_of(
        self, rules: CollectionRules, peer: str | None, server: tuple[str, int | None] | None, forwarded: bytes | None
    ) -> Sender | None:
        addresses = self.pixel.addresses
        headers = () if forwarded is None else ((addresses.header, forwarded),)
        address = addresses.of({"client": peer and (peer, 0), "server": server, "headers": headers})
        part = sender_part(rules, address)
        return None if part is None else (part, limit_name(address))

    def answer(self, request: HotRequest, result: list[Stored]) -> Answer:  # noqa: ARG002  # durable is all it says
        """See ``HotLane``."""
        self._answers[_OK] += 1
        admission: Admission | None = request.context
        if admission is UNLIMITED:
            return _COUNTED_UNLIMITED
        if admission is None:
            return _COUNTED
        return COUNTED[0], _COUNTED_LINES + header_lines(limit_headers(admission)), PIXEL

    def refuse(self, request: HotRequest, error: Exception) -> Answer:
        """See ``HotLane``."""
        status, headers = self.pixel.reply_to_error(error)
        self._answers[SURFACE, status] += 1
        admission: Admission | None = request.context
        lines = header_lines(headers if admission is None else (*headers, *limit_headers(admission)))
        return status, lines, PIXEL


def _page(rules: CollectionRules, parameters: bytes, host: str) -> PagePart | None:
    try:
        sent = parsed(parameters)
    except PixelRefused:
        return None
    arrival = arrival_of(sent, {}, None, 0)
    arrival.host = host
    return page_part(rules, arrival)


def _browser(
    rules: CollectionRules, agent: bytes, language: bytes, gpc: bytes | None, dnt: bytes | None
) -> BrowserPart | None:
    headers = {b"user-agent": agent, b"accept-language": language, b"sec-gpc": gpc or b"", b"dnt": dnt or b""}
    return browser_part(rules, arrival_of(NOTHING_SENT, headers, None, 0))
