"""The order in which a request to ``/api/v0`` is judged: README.md has it as a table."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from tallystick.errors import NoSuchSite
from tallystick.model.account import Permission, Principal
from tallystick.model.site import Site
from tallystick.services.services import Services
from tallystick.surfaces.goatcounter.api import authorization
from tallystick.surfaces.goatcounter.api.calling import Answer, Call, Handler
from tallystick.surfaces.goatcounter.api.dressing import PREFLIGHT, send_answer
from tallystick.surfaces.goatcounter.errors import (
    SURFACE,
    ApiRefused,
    NotAllowed,
    NotFound,
    RateLimited,
    SiteElsewhere,
    Unauthorized,
    answer_to,
    reason_of,
)
from tallystick.surfaces.goatcounter.wire.decoding import query_values
from tallystick.web.address import ClientAddresses, host_of
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.bodies import body_of
from tallystick.web.rate_limit import Admission, RateLimits
from tallystick.web.routing import NoRoute, RouteMatch, Table
from tallystick.web.traffic import Traffic

PREFIX = "/api/v0"
LARGEST_BODY = 8 * 1024 * 1024
HOSTS_NAMED = 20
"""How many of a token's sites a refusal names."""

READS_WITHIN_S = 30.0
LIMITS = {"/count": "api-count", "/export": "export"}
"""Which limit a path falls under; the others are all ``api``."""

_OF_READS = frozenset({"GET", "HEAD"})


class Route(NamedTuple):
    """One URL.

    Attributes:
        path: behind the prefix; ``{name}`` stands for one segment, ``{name*}`` for all that are left.
        needed: what the token must be allowed; None asks for any good token.
        refuse: looks at the placeholders before anyone looks at the token.
    """

    method: str
    path: str
    needed: Permission | None
    handler: Handler
    refuse: Callable[[Mapping[str, str]], None] | None = None


class _Request:
    """What is known of a request while it is judged."""

    def __init__(self, scope: Scope, client: IPv4Address | IPv6Address | None) -> None:
        self.scope, self.client = scope, client
        self.method: str = scope["method"]
        self.path: str = scope["path"].removeprefix(PREFIX).removesuffix("/")
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}
        self.admission: Admission | None = None


class Api:
    """``/api/v0`` as an ASGI application."""

    def __init__(
        self,
        services: Services,
        routes: Sequence[Route],
        limits: RateLimits,
        addresses: ClientAddresses,
        traffic: Traffic,
    ) -> None:
        self._services, self._table, self._limits = services, Table(routes), limits
        self._addresses, self._traffic = addresses, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "OPTIONS":
            self._traffic.answered(SURFACE, 200)
            await send({"type": "http.response.start", "status": 200, "headers": PREFLIGHT})
            await send({"type": "http.response.body", "body": b""})
            return
        request = _Request(scope, self._addresses.of(scope))
        try:
            answer = await self._judged(request, receive)
        except Exception as error:  # noqa: BLE001  # errors become answers in one place
            answer = answer_to(error)
        self._traffic.answered(SURFACE, answer.status)
        if reason := reason_of(answer):
            self._traffic.refused(SURFACE, reason)
        await send_answer(answer, request.admission, scope, receive, send)

    async def _judged(self, request: _Request, receive: Receive) -> Answer:
        try:
            site = await self._services.sites.at(host_of(request.scope))
        except NoSuchSite as error:
            raise await self._elsewhere(request, error) from error
        _require_json(request)
        holder = await self._holder(request)
        self._require_patience(request, holder)
        route, place = self._found(request)
        if route.refuse:
            route.refuse(place)
        admitted = self._admitted(holder, site, route.needed)
        body = await body_of(request.scope, receive, LARGEST_BODY)
        if body is None:
            msg = f"the body is larger than {LARGEST_BODY // 1024 // 1024} MiB"
            raise ApiRefused(msg, 413)
        call = Call(
            site=site,
            holder=admitted,
            place=place,
            query=await query_values(request.scope["query_string"]),
            body=body,
            headers=request.headers,
            client=request.client,
            now=self._services.ledger.clock(),
        )
        within = READS_WITHIN_S if request.method in _OF_READS else None
        async with asyncio.timeout(within):
            return await route.handler(self._services, call)

    async def _elsewhere(self, request: _Request, error: NoSuchSite) -> Exception:
        """The refusal where a Host chooses no site: who shows a good token gets the Hosts that it works for."""
        if "authorization" not in request.headers:
            return error
        try:
            holder = await self._holder(request)
            self._require_patience(request, holder)
        except RateLimited:
            return error  # that there is no site comes first
        if not isinstance(holder, Principal):
            return error
        account, token = holder.account, holder.token
        hosts = [
            site.cname
            for site in await self._services.sites.all()
            if site.cname and site.root == account.site and token.covers(site.id) and account.may("r", site.id)
        ]
        return SiteElsewhere(error.host, hosts[:HOSTS_NAMED]) if hosts else error

    def _found(self, request: _Request) -> RouteMatch[Route]:
        try:
            return self._table.find(request.method, request.path)
        except NoRoute as error:
            raise (NotAllowed(error.methods) if error.methods else NotFound) from error

    async def _holder(self, request: _Request) -> Principal | Unauthorized | None:
        """Who shows a token; only said to the client once its patience was tried.

        Raises:
            RateLimited: its address has used its limit up, and the token is not known to be good.
        """
        try:
            secret = authorization.secret_in(request.headers.get("authorization", ""))
        except Unauthorized as error:
            return error

        def refusal() -> RateLimited | None:
            state = self._limits.address_state(_limit_of(request), request.client)
            if state.admitted:
                return None
            request.admission = state
            return RateLimited(state)

        return await self._services.tokens.holder(secret, refusal)

    def _require_patience(self, request: _Request, holder: Principal | Unauthorized | None) -> None:
        """Limits count by token; by address where there is no good one."""
        name = _limit_of(request)
        if isinstance(holder, Principal):
            request.admission = self._limits.admit(name, holder.token.id)
        else:
            request.admission = self._limits.admit_address(name, request.client)
        if not request.admission.admitted:
            raise RateLimited(request.admission)

    @staticmethod
    def _admitted(holder: Principal | Unauthorized | None, site: Site, needed: Permission | None) -> Principal:
        if isinstance(holder, Unauthorized):
            raise holder
        return authorization.admit(holder, site, needed)


def _limit_of(request: _Request) -> str:
    return LIMITS.get(request.path, "api")


def _require_json(request: _Request) -> None:
    """A body must be JSON; without a body, what a change is said to be must be JSON or nothing.

    Raises:
        ApiRefused: 415.
    """
    kind = request.headers.get("content-type", "")
    media_type = kind.partition(";")[0].strip().lower()
    length = request.headers.get("content-length", "0")
    has_body = length != "0" or "transfer-encoding" in request.headers
    if media_type == "application/json" or (not has_body and (not kind or request.method in _OF_READS)):
        return
    msg = f'unable to handle Content-Type "{kind}"'
    raise ApiRefused(msg, 415)
