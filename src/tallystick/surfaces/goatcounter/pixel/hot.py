"""The pixel in the hot lane (``server/DESIGN.md``): hits that can be judged without waiting. See ``handler.py``."""

from ipaddress import IPv4Address, IPv6Address

from tallystick.model.hit import Hit
from tallystick.model.site import Site
from tallystick.server.hot_lane import Answer, HotRequest, header_lines
from tallystick.services.ingest.ingest import Refusal
from tallystick.surfaces.goatcounter.api.headers import limit_headers
from tallystick.surfaces.goatcounter.errors import SURFACE
from tallystick.surfaces.goatcounter.pixel.handler import PREFETCH, Pixel, arrival_of, headers_of_interest
from tallystick.surfaces.goatcounter.pixel.query import pixel_query
from tallystick.surfaces.goatcounter.pixel.replies import COUNTED, Reply, reply_to
from tallystick.surfaces.goatcounter.wire.decoding import LONGEST_AT_ONCE
from tallystick.warehouse import Stored
from tallystick.web.address import host_of
from tallystick.web.pixel import PIXEL
from tallystick.web.rate_limit import UNLIMITED, Admission
from tallystick.web.refusals import RateLimited

PREFIX = b"/count?"

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

    def take(self, request: HotRequest) -> str | None:
        """See ``HotLane``. Everything that can fail or has to wait comes before the limits are counted."""
        query, headers_read = request.url[_BEGINS:], headers_of_interest(request.headers)
        if reason := _unusual(query, headers_read):
            return reason
        scope = request.scope
        host, address = host_of(scope), self.pixel.addresses.of(scope)
        site = self._sites.known(host)
        if site is None:
            return "site not cached"
        if self._sites.is_new_host(host):
            return "new host"
        judged = self._judged(site, query, headers_read, address)
        if isinstance(judged, str):
            return judged
        request.context = admission = self.pixel.admission(address, headers_read)
        if admission is not None and not admission.admitted:
            request.respond(self.refuse(request, RateLimited(admission)))
        elif isinstance(judged, Hit):
            self._store(request, judged)
        else:
            request.respond(self._encoded(reply_to(judged, address), admission))
        return None

    def _judged(
        self, site: Site, query: bytes, headers_read: dict[bytes, bytes], address: IPv4Address | IPv6Address | None
    ) -> Hit | Refusal | str:
        now = self.pixel.clock()
        try:
            arrival = arrival_of(pixel_query(query), headers_read, address, now // 1000)
            return self._ingest.judge_at_once(site, arrival, now)
        except Exception:  # noqa: BLE001  # it is raised again on the ordinary way, and answered there
            return "refused"

    def _store(self, request: HotRequest, hit: Hit) -> None:
        try:
            self._ingest.store_into(request, hit)
        except Exception as error:  # noqa: BLE001  # errors become answers in one place
            request.respond(self.refuse(request, error))

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
        return self._encoded(self.pixel.reply_to_error(error), request.context)

    def _encoded(self, reply: Reply, admission: Admission | None) -> Answer:
        status, headers = reply
        self._answers[SURFACE, status] += 1
        lines = header_lines(headers if admission is None else (*headers, *limit_headers(admission)))
        return status, lines, PIXEL


def _unusual(query: bytes, headers_read: dict[bytes, bytes]) -> str | None:
    if len(query) > LONGEST_AT_ONCE:
        return "long query"
    if b"#" in query:
        return "fragment"
    return None if PREFETCH.isdisjoint(headers_read) else "prefetch"
