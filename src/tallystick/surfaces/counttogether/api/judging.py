"""The order in which a request is judged: README.md has it as a table."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from tallystick.errors import InputRefused
from tallystick.model.account import Permission, Principal
from tallystick.model.shared_counter import Role
from tallystick.services.kept_answers import KeyedRequest
from tallystick.services.services import Services
from tallystick.services.sharing.access import require, seen
from tallystick.surfaces.counttogether.answers import Answer, Headers, Stream
from tallystick.surfaces.counttogether.api.calling import Call, Handler
from tallystick.surfaces.counttogether.authorization import Caller, Gate
from tallystick.surfaces.counttogether.decoding import first_values
from tallystick.surfaces.counttogether.dressing import PREFLIGHT, limit_headers, send_answer, send_stream
from tallystick.surfaces.counttogether.errors import (
    SURFACE,
    TOO_LARGE,
    Forbidden,
    Malformed,
    NotAllowed,
    RateLimited,
    answer_to,
    no_such_path,
    reason_of,
)
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.bodies import body_of
from tallystick.web.idempotency import key_in
from tallystick.web.routing import NoRoute, RouteMatch, Table
from tallystick.web.traffic import Traffic

LARGEST_BODY = 256 * 1024
READ, WRITE = Permission.COUNTERS_READ, Permission.COUNTERS_WRITE

_KNOWN = frozenset(
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


class Route(NamedTuple):
    """One URL.

    Attributes:
        path: ``{name}`` stands for one segment.
        writes: whether it takes a token that may write.
        least: the role that it takes in the counter of the path; None where there is no counter in it.
    """

    method: str
    path: str
    handler: Handler
    writes: bool = False
    least: Role | None = None


class _Request:
    """What is known of a request while it is judged."""

    __slots__ = ("body", "headers", "limit", "scope", "too_large")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        # Of a repeated header the first counts.
        self.headers: Mapping[bytes, bytes] = {
            name: value for name, value in reversed(scope["headers"]) if name in _KNOWN
        }
        self.limit: Headers = ()
        self.body = b""
        self.too_large = False

    @property
    def has_body(self) -> bool:
        """Whether there is anything to read."""
        return self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers


class Api:
    """The surface's HTTP requests as an ASGI application."""

    def __init__(self, services: Services, gate: Gate, routes: Sequence[Route], traffic: Traffic) -> None:
        self._services, self._gate, self._table, self._traffic = services, gate, Table(routes), traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "OPTIONS":
            self._traffic.answered(SURFACE, 200)
            await send({"type": "http.response.start", "status": 200, "headers": PREFLIGHT})
            await send({"type": "http.response.body", "body": b""})
            return
        request = _Request(scope)
        try:
            answer = await self._judged(request, receive)
        except Exception as error:  # noqa: BLE001  # errors become answers in one place
            answer = answer_to(error)
        if type(answer) is Stream:
            self._traffic.answered(SURFACE, 200)
            await send_stream(answer, request.limit, receive, send)
            return
        assert type(answer) is Answer
        self._traffic.answered(SURFACE, answer.status)
        if reason := reason_of(answer):
            self._traffic.refused(SURFACE, reason)
        await send_answer(answer, request.limit, scope, request.headers.get(b"accept", b""), send)

    async def _judged(self, request: _Request, receive: Receive) -> Answer | Stream:
        holder = await self._gate.identify(request.scope)
        if request.has_body:
            await _read_body(request, receive)
        caller = await self._permitted(request, holder, receive)
        route, place = self._found(request.scope)
        if not route.writes:
            caller.require(READ)
        elif not caller.may(WRITE):
            caller.require(READ)
            # Whether there is such a counter, and whether the caller may, is told before what else is wrong.
            await self._require_role(route, place, caller)
            raise Forbidden(WRITE)
        try:
            return await route.handler(self._services, self._call(request, caller, place))
        except Malformed:
            await self._require_role(route, place, caller)
            raise

    async def _permitted(self, request: _Request, holder: Principal, receive: Receive) -> Caller:
        gate = self._gate
        try:
            caller = await gate.permit(holder, receive)
        except RateLimited as refusal:
            request.limit = limit_headers(refusal.admission, gate.policy)
            raise
        if caller.admission is not None:
            request.limit = limit_headers(caller.admission, gate.policy)
        return caller

    def _found(self, scope: Scope) -> RouteMatch[Route]:
        path: str = scope["path"]
        try:
            return self._table.find(scope["method"], path.removesuffix("/"))
        except NoRoute as error:
            raise (NotAllowed(error.methods) if error.methods else no_such_path()) from error

    def _call(self, request: _Request, caller: Caller, place: Mapping[str, str]) -> Call:
        """The request as handlers see it.

        Raises:
            Malformed: its body is too large, or its query or its key make no sense.
        """
        if request.too_large:
            msg = f"the body is larger than {LARGEST_BODY // 1024} KiB"
            raise Malformed(msg, TOO_LARGE)
        scope = request.scope
        query: bytes = scope["query_string"]
        return Call(
            caller=caller,
            scope=scope,
            place=place,
            query=first_values(query) if query else {},
            headers=request.headers,
            body=request.body,
            keyed=_keyed(request, caller) if b"idempotency-key" in request.headers else None,
            now=self._services.ledger.clock(),
        )

    async def _require_role(self, route: Route, place: Mapping[str, str], caller: Caller) -> None:
        if route.least is None:
            return
        account, uid = caller.account.id, place["id"]
        if route.writes:
            judge = partial(require, hide_foreign=self._services.sharing.hide_foreign)
            await self._services.sharing.read(judge, account, uid, route.least)
        else:
            await self._services.sharing.read(seen, account, uid)


async def _read_body(request: _Request, receive: Receive) -> None:
    body = await body_of(request.scope, receive, LARGEST_BODY)
    request.too_large = body is None
    request.body = body or b""


def _keyed(request: _Request, caller: Caller) -> KeyedRequest | None:
    """What the request is known by.

    Raises:
        Malformed: its key is none.
    """
    scope = request.scope
    if scope["method"] in {"GET", "HEAD"}:
        return None
    try:
        key = key_in(request.headers[b"idempotency-key"].decode("latin-1"))
    except InputRefused as error:
        raise Malformed(str(error)) from error
    rest = scope["query_string"] + b"\0" + request.body
    return KeyedRequest.of(f"counttogether/{caller.account.id}", scope["method"], scope["path"], key, rest=rest)
