"""The checks of a request to ``/api/v0``, in their order: README.md has them as a table."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address

from tallystick.errors import NoSuchSite
from tallystick.model.account import Permission, Principal
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter.api.authorization import UNKNOWN, require_access, secret_in
from tallystick.surfaces.goatcounter.api.calling import Handler, SiteCall
from tallystick.surfaces.goatcounter.api.headers import COMMON, PREFLIGHT, limit_headers
from tallystick.surfaces.goatcounter.errors import REASON_BY_STATUS, SURFACE, SiteElsewhere, response_to
from tallystick.surfaces.goatcounter.wire.decoding import query_values
from tallystick.turns import asking
from tallystick.web.address import ClientAddresses, host_of
from tallystick.web.answers import AnyResponse, ApiResponse, FileDownload, send_file, send_response
from tallystick.web.api import Api, ApiRequest
from tallystick.web.asgi import Receive, Send
from tallystick.web.bearer import principal_of
from tallystick.web.bodies import LARGEST_BODY, body_of
from tallystick.web.rate_limit import RateLimits
from tallystick.web.refusals import ApiRefused, RateLimited, Unauthorized
from tallystick.web.routing import Route, Table
from tallystick.web.traffic import Traffic

PREFIX = "/api/v0"
HOSTS_NAMED = 20
"""The most Hosts that a refusal lists."""

READS_WITHIN_S = 30.0
LIMITS = {"/count": "api-count", "/export": "export"}
"""The rate limit of a path."""
USUAL_LIMIT = "api"
"""The limit of all other paths."""

_OF_READS = frozenset({"GET", "HEAD"})


class SiteRoute(Route, frozen=True):
    """One URL behind ``PREFIX``.

    Attributes:
        needed: permission of the token; None if any is enough.
        refuse: checks the placeholders of the path before the token is checked.
    """

    needed: Permission | None
    handler: Handler
    refuse: Callable[[Mapping[str, str]], None] | None = None


class GoatCounterApi(Api):
    """``/api/v0`` as an ASGI application."""

    surface = SURFACE
    reasons = REASON_BY_STATUS
    preflight = PREFLIGHT
    headers_read = frozenset(
        {
            b"authorization",
            b"content-length",
            b"content-type",
            b"host",
            b"idempotency-key",
            b"transfer-encoding",
            b"x-goatcounter-import",
        }
    )

    def __init__(
        self,
        services: Services,
        routes: Sequence[SiteRoute],
        limits: RateLimits,
        addresses: ClientAddresses,
        traffic: Traffic,
    ) -> None:
        super().__init__(traffic)
        self._services, self._table = services, Table(routes)
        self._limits, self._addresses = limits, addresses

    async def judge(self, request: ApiRequest, receive: Receive) -> AnyResponse:
        """Site, content type, token, limit, route, permission, body; then the handler."""
        scope, client = request.scope, self._addresses.of(request.scope)
        try:
            site = await self._services.sites.at(host_of(scope))
        except NoSuchSite as error:
            raise await self._elsewhere(request, client, error) from error
        _require_json(request)
        path = _path_of(request)
        limit = LIMITS.get(path, USUAL_LIMIT)
        principal = await self._identify(request, client, limit)
        self._try_limit(request, client, limit, principal)
        route, place = self._table.find(scope["method"], path)
        if route.refuse:
            route.refuse(place)
        if isinstance(principal, Unauthorized):
            raise principal
        require_access(principal, site, route.needed)
        body = await body_of(scope, receive, LARGEST_BODY)
        if body is None:
            msg = f"the body is larger than {LARGEST_BODY // 1024 // 1024} MiB"
            raise ApiRefused(msg, 413)
        call = SiteCall(
            principal=principal,
            place=place,
            query=await query_values(scope["query_string"]),
            headers=request.headers,
            body=body,
            now=self._services.ledger.clock(),
            site=site,
            client=client,
        )
        within = READS_WITHIN_S if scope["method"] in _OF_READS else None
        with asking(f"token {principal.token.id}"):
            async with asyncio.timeout(within):
                return await route.handler(self._services, call)

    async def _elsewhere(
        self, request: ApiRequest, client: IPv4Address | IPv6Address | None, error: NoSuchSite
    ) -> Exception:
        """The refusal where the Host chooses no site; for a valid token it lists the Hosts of its sites."""
        if b"authorization" not in request.headers:
            return error
        limit = LIMITS.get(_path_of(request), USUAL_LIMIT)
        try:
            principal = await self._identify(request, client, limit)
            self._try_limit(request, client, limit, principal)
        except RateLimited:
            return error  # a missing site is reported before the rate limit
        if isinstance(principal, Unauthorized):
            return error
        account, token = principal.account, principal.token
        hosts = [
            site.cname
            for site in await self._services.sites.all()
            if site.cname and site.root == account.site and token.covers(site.id) and account.may("r", site.id)
        ]
        return SiteElsewhere(error.host, hosts[:HOSTS_NAMED]) if hosts else error

    async def _identify(
        self, request: ApiRequest, client: IPv4Address | IPv6Address | None, limit: str
    ) -> Principal | Unauthorized:
        """The principal. For credentials that are not valid, the refusal to raise once the limit was checked.

        Raises:
            RateLimited: the address has used up its limit, and the token is not cached as valid.
        """
        try:
            secret = secret_in(request.headers.get(b"authorization", b"").decode("latin-1"))
            principal = await principal_of(secret, self._services.tokens, self._limits, limit, client)
        except Unauthorized as error:
            return error
        except RateLimited as refusal:
            request.limit_headers = limit_headers(refusal.admission)
            raise
        return Unauthorized(UNKNOWN) if principal is None else principal

    def _try_limit(
        self,
        request: ApiRequest,
        client: IPv4Address | IPv6Address | None,
        limit: str,
        principal: Principal | Unauthorized,
    ) -> None:
        """Take one request from the token's limit; without a valid token, from the address's.

        Raises:
            RateLimited
        """
        if isinstance(principal, Principal):
            admission = self._limits.admit(limit, principal.token.id)
        else:
            admission = self._limits.admit_address(limit, client)
        request.limit_headers = limit_headers(admission)
        if not admission.admitted:
            raise RateLimited(admission)

    def response_to(self, error: Exception) -> ApiResponse:
        """The response to an error."""
        return response_to(error)

    def send(self, response: AnyResponse, request: ApiRequest, receive: Receive, send: Send) -> Awaitable[None]:
        """Send a response with CORS and the limit's state."""
        headers = [*COMMON, *request.limit_headers]
        if isinstance(response, FileDownload):
            return send_file(response, headers, request.scope, receive, send)
        assert isinstance(response, ApiResponse)  # this surface has no streams
        return send_response(response, headers, request.scope, send)


def _path_of(request: ApiRequest) -> str:
    path: str = request.scope["path"]
    return path.removeprefix(PREFIX).removesuffix("/")


def _require_json(request: ApiRequest) -> None:
    """A body must be JSON; without a body, the content type of a change must be JSON or missing.

    Raises:
        ApiRefused: 415.
    """
    kind = request.headers.get(b"content-type", b"").decode("latin-1")
    media_type = kind.partition(";")[0].strip().lower()
    if media_type == "application/json":
        return
    if not request.has_body and (not kind or request.scope["method"] in _OF_READS):
        return
    msg = f'unable to handle Content-Type "{kind}"'
    raise ApiRefused(msg, 415)
