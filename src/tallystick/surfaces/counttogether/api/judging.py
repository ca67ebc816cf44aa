"""The checks of a request, in their order: README.md has them as a table."""

from collections.abc import Awaitable, Mapping, Sequence
from functools import partial

from tallystick.errors import InputRefused
from tallystick.model.account import Permission, Principal
from tallystick.model.shared_counter import Role
from tallystick.services.idempotency import KeyedRequest, meaning
from tallystick.services.services import Services
from tallystick.services.sharing.access import normal_uid, readable_counter, require
from tallystick.surfaces.counttogether.api.calling import CounterCall, Handler
from tallystick.surfaces.counttogether.authorization import Gate
from tallystick.surfaces.counttogether.decoding import query_values
from tallystick.surfaces.counttogether.errors import REASON_BY_STATUS, SURFACE, TOO_LARGE, Malformed, response_to
from tallystick.surfaces.counttogether.responses import PREFLIGHT, UNCACHED, limit_headers, send_dressed
from tallystick.web.answers import AnyResponse, ApiResponse, Stream, send_stream
from tallystick.web.api import Api, ApiRequest
from tallystick.web.asgi import Receive, Send
from tallystick.web.bearer import require_permission
from tallystick.web.bodies import body_of
from tallystick.web.idempotency import key_in
from tallystick.web.refusals import PermissionMissing, RateLimited
from tallystick.web.routing import Route, Table
from tallystick.web.traffic import Traffic

LARGEST_BODY = 256 * 1024
READ, WRITE = Permission.COUNTERS_READ, Permission.COUNTERS_WRITE


class CounterRoute(Route, frozen=True):
    """One URL.

    Attributes:
        writes: whether the token needs the write permission.
        least: the role required in the counter of the path; None where the path has no counter.
    """

    handler: Handler
    writes: bool = False
    least: Role | None = None


class CountTogetherApi(Api):
    """The surface's HTTP requests as an ASGI application."""

    surface = SURFACE
    reasons = REASON_BY_STATUS
    preflight = PREFLIGHT
    headers_read = frozenset(
        {
            b"accept",
            b"content-length",
            b"host",
            b"idempotency-key",
            b"if-match",
            b"if-none-match",
            b"last-event-id",
            b"origin",
            b"transfer-encoding",
        }
    )

    def __init__(self, services: Services, gate: Gate, routes: Sequence[CounterRoute], traffic: Traffic) -> None:
        super().__init__(traffic)
        self._services, self._gate, self.table = services, gate, Table(routes)

    async def judge(self, request: ApiRequest, receive: Receive) -> AnyResponse:
        """Token, body, limit, route, permission; then the handler. A missing role comes before a malformed body."""
        scope = request.scope
        principal = await self._gate.identify(scope)
        body = await body_of(scope, receive, LARGEST_BODY) if request.has_body else b""
        await self._permit(request, principal, receive)
        path: str = scope["path"]
        route, place = self.table.find(scope["method"], path.removesuffix("/"))
        if not route.writes:
            require_permission(principal, READ)
        elif not principal.permits(WRITE):
            require_permission(principal, READ)
            # A missing counter and a missing role are reported before the permission.
            await self._require_role(route, place, principal)
            raise PermissionMissing(WRITE)
        try:
            return await route.handler(self._services, self._call(request, principal, route, place, body))
        except Malformed:
            await self._require_role(route, place, principal)
            raise

    async def _permit(self, request: ApiRequest, principal: Principal, receive: Receive) -> None:
        try:
            admission = await self._gate.permit(principal, receive)
        except RateLimited as refusal:
            request.limit_headers = limit_headers(refusal.admission, self._gate.policy)
            raise
        if admission is not None:
            request.limit_headers = limit_headers(admission, self._gate.policy)

    def _call(
        self,
        request: ApiRequest,
        principal: Principal,
        route: CounterRoute,
        place: Mapping[str, str],
        body: bytes | None,
    ) -> CounterCall:
        """The request as handlers get it.

        Args:
            body: None when it is too large.

        Raises:
            Malformed: the body is too large, or the query or the key is malformed.
        """
        if body is None:
            msg = f"the body is larger than {LARGEST_BODY // 1024} KiB"
            raise Malformed(msg, TOO_LARGE)
        scope = request.scope
        raw_query: bytes = scope["query_string"]
        query = query_values(raw_query) if raw_query else {}
        return CounterCall(
            principal=principal,
            place=place,
            query=query,
            headers=request.headers,
            body=body,
            now=self._services.ledger.clock(),
            scope=scope,
            keyed=_keyed(request, principal, _resolved(route, place), query, body)
            if b"idempotency-key" in request.headers
            else None,
        )

    async def _require_role(self, route: CounterRoute, place: Mapping[str, str], principal: Principal) -> None:
        if route.least is None:
            return
        account, uid = principal.account.id, place["id"]
        if route.writes:
            judge = partial(require, hide_foreign=self._services.sharing.hide_foreign)
            await self._services.sharing.read(judge, account, uid, route.least)
        else:
            await self._services.sharing.read(readable_counter, account, uid)

    def response_to(self, error: Exception) -> ApiResponse:
        """The response to an error."""
        return response_to(error)

    def send(self, response: AnyResponse, request: ApiRequest, receive: Receive, send: Send) -> Awaitable[None]:
        """Send a response with CORS, caching and the limit's numbers."""
        if type(response) is Stream:
            return send_stream(response, (*UNCACHED, *request.limit_headers), receive, send)
        assert type(response) is ApiResponse  # this surface has no files
        accept = request.headers.get(b"accept", b"")
        return send_dressed(response, request.limit_headers, accept, request.scope, send)


def _keyed(
    request: ApiRequest, principal: Principal, path: str, query: Mapping[str, str], body: bytes
) -> KeyedRequest | None:
    """The identity of a request with a key; None where the method changes nothing.

    Args:
        path: with decoded parameters, in one spelling.

    Raises:
        Malformed: the key is not valid.
    """
    scope = request.scope
    if scope["method"] in {"GET", "HEAD"}:
        return None
    try:
        key = key_in(request.headers[b"idempotency-key"].decode("latin-1"))
    except InputRefused as error:
        raise Malformed(str(error)) from error
    sender, method = f"counttogether/{principal.account.id}", scope["method"]
    older = KeyedRequest.of(sender, method, scope["path"], key, rest=scope["query_string"] + b"\0" + body)
    return KeyedRequest.of(sender, method, path, key, rest=meaning(query.items(), body), older=older)


def _resolved(route: CounterRoute, place: Mapping[str, str]) -> str:
    """The path of a route with its decoded parameters, in one spelling."""
    segments = (_one_spelling(place[part[1:-1]]) if part.startswith("{") else part for part in route.path.split("/"))
    return "/".join(segments)


def _one_spelling(parameter: str) -> str:
    if parameter.isascii() and parameter.isdigit():
        return parameter.lstrip("0") or "0"
    return normal_uid(parameter) or parameter
