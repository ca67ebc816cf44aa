"""The checks of a request, in their order (contract 2.1)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from tallystick.errors import NoSuchSite
from tallystick.model.account import NEEDED_ACCESS, Access, Permission, Principal
from tallystick.model.site import Site
from tallystick.services.inquiries.configured import Configured, configured
from tallystick.services.services import Services
from tallystick.surfaces.plausible.errors import (
    COMMON,
    MISSING,
    NO_SITE_HERE,
    PREFLIGHT,
    REASON_BY_STATUS,
    REFUSED,
    SURFACE,
    response_to,
)
from tallystick.turns import asking
from tallystick.web.address import ClientAddresses, host_of
from tallystick.web.answers import AnyResponse, ApiResponse, send_response
from tallystick.web.api import Api, ApiRequest
from tallystick.web.asgi import Receive, Send
from tallystick.web.bearer import principal_of, secret_of
from tallystick.web.bodies import body_of, json_problem
from tallystick.web.query import parameters_of
from tallystick.web.rate_limit import RateLimits
from tallystick.web.refusals import ApiRefused, RateLimited, Unauthorized, retry_after
from tallystick.web.routing import NoRoute, Route, Table
from tallystick.web.side_by_side import first_to_end
from tallystick.web.traffic import Traffic

LIVE = "/api/system/health/live"
HEALTH = frozenset({"/api/health", LIVE, "/api/system/health/ready"})
LIMIT = "plausible"
UNKNOWN_LIMIT = "unknown-token"
LARGEST_BODY = 256 * 1024
LONGEST_QUERY = 64 * 1024
MOST_PARAMETERS = 100
MOST_SITES = 100
ANSWERED_WITHIN_S = 2.0
"""After the client has closed its side of the connection."""

WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
CHANGING: Access = "s"
"""The access that changing goals, funnels, segments and annotations of a site takes."""

_encode = msgspec.json.Encoder().encode


class StatsCall(Struct, frozen=True, kw_only=True):
    """A request that was judged, as handlers see it.

    Attributes:
        sites: those that ``site_id`` names; none where the route needs none.
        query: the first value of each parameter.
        body: the JSON object of a POST.
        now: Unix milliseconds.
    """

    principal: Principal
    sites: tuple[Site, ...]
    place: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    now: int

    @property
    def site(self) -> Site:
        """The one site of a request that takes one."""
        return self.sites[0]

    def may(self, needed: Permission, access: Access | None = None) -> bool:
        """Whether the key has a permission on the site.

        Args:
            access: of the person, in place of what the permission takes elsewhere.
        """
        return reaches(self.principal, self.site, needed, access)


StatsHandler: TypeAlias = Callable[[Services, StatsCall], Awaitable[ApiResponse]]


class StatsRoute(Route, frozen=True):
    """One URL.

    Attributes:
        needed: permission of the token on the site.
        of_site: whether ``site_id`` has to name a site.
        several: whether it may be a list, or be left out: then the Host chooses the site.
    """

    handler: StatsHandler
    needed: Permission = Permission.STATS
    of_site: bool = True
    several: bool = False
    in_path: bool = False
    """Whether the path names the site, as ``{domain}``."""
    changes: bool = False
    """Whether it changes something: it is then carried out even if the client has hung up. A key with ``needed`` or
    ``site-update`` reaches it, and the handler judges which it takes."""
    largest_body: int = LARGEST_BODY
    """Bytes."""


class PlausibleApi(Api):
    """The surface as an ASGI application."""

    surface = SURFACE
    reasons = REASON_BY_STATUS
    preflight = PREFLIGHT
    headers_read = frozenset({b"authorization", b"content-length", b"transfer-encoding"})

    def __init__(
        self,
        services: Services,
        routes: Sequence[StatsRoute],
        limits: RateLimits,
        addresses: ClientAddresses,
        traffic: Traffic,
    ) -> None:
        super().__init__(traffic)
        self._services, self._table = services, Table(routes)
        self._limits, self._addresses = limits, addresses

    async def judge(self, request: ApiRequest, receive: Receive) -> AnyResponse:
        """Route, JSON of the body, key, limit, site and permission; then the handler."""
        scope = request.scope
        if scope["path"] in HEALTH and scope["method"] in {"GET", "HEAD"}:
            return await self._health(scope["path"])
        try:
            route, place = self._table.find(scope["method"], scope["path"].removesuffix("/"))
        except NoRoute as error:
            msg = "not found"  # as GoatCounter's API says of versions that it does not have
            raise ApiRefused(msg, 404) from error
        # A large body is read last: what it holds takes many times its bytes, and its key has to be known first.
        is_large = route.largest_body > LARGEST_BODY
        body = await self._body(request, receive, route) if route.method in WITH_BODY and not is_large else {}
        query = parameters_of(scope["query_string"], LONGEST_QUERY, MOST_PARAMETERS)
        principal = await self._identify(request)
        admission = self._limits.admit(LIMIT, principal.token.id)
        if not admission.admitted:
            raise RateLimited(admission)
        sites = await self._sites(request, route, _given(route, place, query, body), principal)
        if is_large:
            body = await self._body(request, receive, route)
        call = StatsCall(
            principal=principal,
            sites=sites,
            place=place,
            query=query,
            body=body,
            now=self._services.ledger.clock(),
        )
        with asking(f"token {principal.token.id}"):
            if route.changes:
                return await route.handler(self._services, call)
            # A question may take seconds, and others wait for it: it is given up when the client has hung up.
            return await first_to_end(_handled(route, self._services, call), _hung_up(receive))

    async def _health(self, path: str) -> ApiResponse:
        reason = None if path == LIVE else await self._services.readiness.reason()
        if reason is not None:
            msg = f"not ready: {reason}"
            raise ApiRefused(msg, 503, retry_after(5))
        return as_json({"status": "ok"})

    async def _identify(self, request: ApiRequest) -> Principal:
        """The principal of the key.

        Raises:
            Unauthorized, RateLimited, StoreUnavailable
        """
        words = request.headers.get(b"authorization", b"").decode("latin-1").split()
        secret = secret_of(*words) if len(words) == 2 else None  # noqa: PLR2004  # scheme and credentials
        if secret is None:
            raise Unauthorized(MISSING)
        client = self._addresses.of(request.scope)
        principal = await principal_of(secret, self._services.tokens, self._limits, UNKNOWN_LIMIT, client)
        if principal is None:
            admission = self._limits.admit_address(UNKNOWN_LIMIT, client)
            raise Unauthorized(REFUSED) if admission.admitted else RateLimited(admission)
        return principal

    async def _sites(
        self, request: ApiRequest, route: StatsRoute, given: Mapping[str, Any], principal: Principal
    ) -> tuple[Site, ...]:
        """The sites that a request names; where it need not name one, the site of its Host."""
        if not route.of_site:
            return ()
        if route.several and "site_id" not in given:
            try:
                return (await self._reached(self._services.sites.at(host_of(request.scope)), principal, route),)
            except Unauthorized as error:
                raise Unauthorized(NO_SITE_HERE) from error
        names = _site_names(given, several=route.several)
        return tuple([await self._reached(self._services.sites.named(name), principal, route) for name in names])

    async def _reached(self, found: Awaitable[Site], principal: Principal, route: StatsRoute) -> Site:
        """The site, if the key reaches it.

        Raises:
            Unauthorized: there is none, or the key does not reach it.
        """
        try:
            site = await found
        except NoSuchSite as error:
            raise Unauthorized(REFUSED) from error
        if not (
            reaches(principal, site, route.needed)
            or (route.changes and reaches(principal, site, Permission.SITE_UPDATE, CHANGING))
        ):
            raise Unauthorized(REFUSED)
        return site

    async def _body(self, request: ApiRequest, receive: Receive, route: StatsRoute) -> Mapping[str, Any]:
        """The JSON object of a request, whatever its content type says.

        Raises:
            ApiRefused
        """
        raw = await body_of(request.scope, receive, route.largest_body)
        if raw is None:
            msg = f"the body is larger than {route.largest_body // 1024} KiB"
            raise ApiRefused(msg, 413)
        if not raw and route.method == "DELETE":
            return {}
        try:
            decode = msgspec.json.decode
            body = decode(raw) if len(raw) <= LARGEST_BODY else await asyncio.to_thread(decode, raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problem = json_problem(error, raw)
            msg = f"the body is not JSON that can be read: {problem}" if problem else "the body is not JSON"
            raise ApiRefused(msg) from error
        if not isinstance(body, dict):
            msg = "the body is not a JSON object"
            raise ApiRefused(msg)
        return body

    def response_to(self, error: Exception) -> ApiResponse:
        """The response to an error."""
        return response_to(error)

    def send(self, response: AnyResponse, request: ApiRequest, receive: Receive, send: Send) -> Awaitable[None]:  # noqa: ARG002  # this surface has no streams
        """Send a response with CORS."""
        assert isinstance(response, ApiResponse)
        return send_response(response, list(COMMON), request.scope, send)


async def _handled(route: StatsRoute, services: Services, call: StatsCall) -> ApiResponse:
    return await route.handler(services, call)


async def _hung_up(receive: Receive) -> ApiResponse:
    """Wait until the client is gone.

    Raises:
        ApiRefused: it is. One that has only finished sending may still read: it is given a little more time.
    """
    while (await receive())["type"] != "http.disconnect":
        pass
    await asyncio.sleep(ANSWERED_WITHIN_S)
    msg = "the client has finished sending, and there was no answer yet"
    raise ApiRefused(msg, 504)


def reaches(principal: Principal, site: Site, needed: Permission, access: Access | None = None) -> bool:
    """Whether a key has a permission on a site.

    Args:
        access: of the person, in place of what the permission takes elsewhere.
    """
    account, token = principal.account, principal.token
    return (
        account.site == site.root
        and token.covers(site.id)
        and principal.permits(needed)
        and account.may(access or NEEDED_ACCESS[needed], site.id)
    )


async def known_to(services: Services, call: StatsCall) -> Configured:
    """The goals and segments that a request may refer to.

    Raises:
        StoreUnavailable
    """
    sites = [site.id for site in call.sites]
    return await configured(services.goals, services.segments, sites, call.principal.account.id)


def as_json(value: object, status: int = 200) -> ApiResponse:
    """A value as a response."""
    return ApiResponse(status, _encode(value))


def _given(
    route: StatsRoute, place: Mapping[str, str], query: Mapping[str, str], body: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Where ``site_id`` is looked up."""
    if route.in_path:
        return {"site_id": place["domain"]}
    return query if route.method == "GET" else {**query, **body} if route.method == "DELETE" else body


def _site_names(values: Mapping[str, Any], *, several: bool) -> Sequence[str]:
    match values.get("site_id"):
        case str(name) if name:
            return [name]
        case [_, *_] as names if several and len(names) <= MOST_SITES and all(isinstance(each, str) for each in names):
            return list(dict.fromkeys(names))
    msg = "site_id is missing: the domain of the site"
    if several:
        msg += f", or a list of 1 to {MOST_SITES} domains"
    raise ApiRefused(msg)
