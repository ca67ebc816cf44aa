"""The checks of a request, in their order: README.md has them as a list."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from msgspec import Struct

from tallystick.model.key import Key, legal_name
from tallystick.services.services import Services
from tallystick.surfaces.counters.badges.keeping import Drawings
from tallystick.surfaces.counters.errors import (
    CODE_BY_STATUS,
    COMMON,
    MALFORMED_NAME,
    PREFLIGHT,
    SURFACE,
    SWITCHED_OFF,
    CounterRefused,
    response_to,
)
from tallystick.web.answers import AnyResponse, ApiResponse, Stream, send_response, send_stream
from tallystick.web.api import Api, ApiRequest
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.bodies import SMALL_BODY, body_of
from tallystick.web.query import parameters_of
from tallystick.web.rate_limit import RateLimits
from tallystick.web.refusals import ApiRefused, RateLimited
from tallystick.web.routing import Route, Table
from tallystick.web.surface import Kit

RATE = "counters"
LONGEST_QUERY = 8_192
MOST_PARAMETERS = 100
NAME_RULE = "3 to 64 letters, digits, dots, dashes and underscores"


class PublicCall(Struct, frozen=True, kw_only=True):
    """A request that was judged, as handlers see it.

    Attributes:
        kit: what the operator has set.
        place: parameters of the path, as text.
        query: the first value of each parameter, percent-decoded.
        headers: those of ``CountersApi.headers_read``, by lower-case name; of a repeated one the first.
        now: Unix milliseconds, read once.
        drawings: badges that were drawn.
    """

    kit: Kit
    scope: Scope
    place: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    body: bytes
    now: int
    drawings: Drawings

    @property
    def client(self) -> IPv4Address | IPv6Address | None:
        """The client's address."""
        return self.kit.addresses.of(self.scope)

    @property
    def key(self) -> Key:
        """The counter of a path with ``{namespace}`` and ``{key}``.

        Raises:
            CounterRefused: one of the two is no name.
        """
        return key_named(self.place["namespace"], self.place["key"])


PublicHandler: TypeAlias = Callable[[Services, PublicCall], Awaitable[AnyResponse]]


class PublicRoute(Route, frozen=True):
    """One URL.

    Attributes:
        rate: the limit that counts its requests, by address; None for no limit.
        largest_body: bytes.
        switched: whether it is refused where public counters are switched off.
        refusal: encodes an error in the form of the URL, given its path; None for JSON.
    """

    handler: PublicHandler
    rate: str | None = RATE
    largest_body: int = SMALL_BODY
    switched: bool = True
    refusal: Callable[[Exception, str], Awaitable[ApiResponse]] | None = None


class CountersApi(Api):
    """The surface as an ASGI application."""

    surface = SURFACE
    reasons = CODE_BY_STATUS
    preflight = PREFLIGHT
    headers_read = frozenset(
        {
            b"accept",
            b"authorization",
            b"content-length",
            b"host",
            b"idempotency-key",
            b"if-none-match",
            b"origin",
            b"referer",
            b"transfer-encoding",
            b"user-agent",
            b"sec-purpose",
            b"purpose",
            b"x-purpose",
            b"x-moz",
        }
    )

    def __init__(self, services: Services, kit: Kit, routes: Sequence[PublicRoute]) -> None:
        super().__init__(kit.traffic)
        self._services, self._kit, self._table = services, kit, Table(routes)
        self._drawings = Drawings()

    async def judge(self, request: ApiRequest, receive: Receive) -> AnyResponse:
        """Path, the operator's switch, limit, query, body; then the handler."""
        scope = request.scope
        route, place = self._table.find(scope["method"], scope["path"].removesuffix("/"))
        try:
            return await self._answer(route, place, request, receive)
        except Exception as error:
            if route.refusal is None:
                raise
            return await route.refusal(error, scope["path"])

    async def _answer(
        self, route: PublicRoute, place: Mapping[str, str], request: ApiRequest, receive: Receive
    ) -> AnyResponse:
        scope = request.scope
        if route.switched and self._kit.public_counters == "off":
            msg = "public counters are switched off on this server (--public-counters off)"
            raise CounterRefused(403, SWITCHED_OFF, msg)
        if route.rate is not None:
            _admit(self._kit.limits, route.rate, self._kit, scope)
        query = parameters_of(scope["query_string"], LONGEST_QUERY, MOST_PARAMETERS)
        body = await body_of(scope, receive, route.largest_body) if request.has_body else b""
        if body is None:
            msg = f"the body is larger than {route.largest_body // 1024} KiB"
            raise ApiRefused(msg, 413)
        call = PublicCall(
            kit=self._kit,
            scope=scope,
            place=place,
            query=query,
            headers=request.headers,
            body=body,
            now=self._services.ledger.clock(),
            drawings=self._drawings,
        )
        return await route.handler(self._services, call)

    def response_to(self, error: Exception) -> ApiResponse:
        """The response to an error."""
        return response_to(error)

    def send(self, response: AnyResponse, request: ApiRequest, receive: Receive, send: Send) -> Awaitable[None]:
        """Send a response with CORS."""
        if type(response) is Stream:
            return send_stream(response, COMMON, receive, send)
        assert isinstance(response, ApiResponse)  # this surface has no files
        return send_response(response, list(COMMON), request.scope, send)


def namespace_named(name: str) -> str:
    """A namespace.

    Raises:
        CounterRefused: the text is no name.
    """
    if not legal_name(name):
        raise CounterRefused(400, MALFORMED_NAME, f"a namespace has {NAME_RULE}", field="namespace")
    return name


def key_named(namespace: str, key: str) -> Key:
    """The key of two names.

    Raises:
        CounterRefused: one of them is no name.
    """
    namespace_named(namespace)
    if not legal_name(key):
        raise CounterRefused(400, MALFORMED_NAME, f"a key has {NAME_RULE}", field="key")
    return Key(namespace, key)


def _admit(limits: RateLimits, rate: str, kit: Kit, scope: Scope) -> None:
    admission = limits.admit_address(rate, kit.addresses.of(scope))
    if not admission.admitted:
        raise RateLimited(admission)
