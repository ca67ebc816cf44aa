"""What the APIs of all surfaces do with a request: preflights, errors to responses, counting.

The order in which a request is judged is each contract's own: ``judge`` of the surface's class.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from typing import ClassVar

from msgspec import Struct

from tallystick.model.account import Account, Principal
from tallystick.web.answers import AnyResponse, ApiResponse, send_preflight
from tallystick.web.asgi import Receive, Scope, Send
from tallystick.web.refusals import Headers
from tallystick.web.traffic import Traffic

REFUSED_FROM = 400
"""The lowest status of a refusal."""


class ApiRequest:
    """A request while it is judged.

    Attributes:
        headers: those that the surface reads; of a repeated one the first.
        limit_headers: what the response says of the rate limit.
    """

    __slots__ = ("headers", "limit_headers", "scope")

    def __init__(self, scope: Scope, names: frozenset[bytes]) -> None:
        self.scope = scope
        self.headers: Mapping[bytes, bytes] = {
            name: value for name, value in reversed(scope["headers"]) if name in names
        }
        self.limit_headers: Headers = ()

    @property
    def has_body(self) -> bool:
        """Whether the request announces a body."""
        return self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers


class ApiCall(Struct, frozen=True):
    """A request that was judged, as handlers see it.

    Attributes:
        place: parameters of the path, as text.
        query: the first value of each parameter, percent-decoded.
        headers: those that the surface reads, by lower-case name; of a repeated one the first.
        now: Unix milliseconds, read once.
    """

    principal: Principal
    place: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    body: bytes
    now: int

    @property
    def account(self) -> Account:
        """The principal's account."""
        return self.principal.account

    def header(self, name: bytes) -> str | None:
        """A header as text."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


class Api(ABC):
    """A surface's API as an ASGI application.

    Attributes:
        surface: its name in the metrics.
        reasons: what the metrics count a refusal as, by status.
        preflight: headers of the response to OPTIONS.
        headers_read: names of the headers that ``judge`` and the handlers read.
    """

    surface: ClassVar[str]
    reasons: ClassVar[Mapping[int, str]]
    preflight: ClassVar[Headers]
    headers_read: ClassVar[frozenset[bytes]]

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "OPTIONS":
            self._traffic.answered(self.surface, 200)
            await send_preflight(self.preflight, send)
            return
        request = ApiRequest(scope, self.headers_read)
        response: AnyResponse
        try:
            response = await self.judge(request, receive)
        except Exception as error:  # noqa: BLE001  # errors become responses in one place
            response = self.response_to(error)
        count_response(self._traffic, self.surface, response, self.reasons)
        await self.send(response, request, receive, send)

    @abstractmethod
    async def judge(self, request: ApiRequest, receive: Receive) -> AnyResponse:
        """Check a request in the contract's order, and call its handler."""

    @abstractmethod
    def response_to(self, error: Exception) -> ApiResponse:
        """An error in the contract's words."""

    @abstractmethod
    def send(self, response: AnyResponse, request: ApiRequest, receive: Receive, send: Send) -> Awaitable[None]:
        """Send a response with the headers that all responses of the surface share."""


def count_response(traffic: Traffic, surface: str, response: AnyResponse, reasons: Mapping[int, str]) -> None:
    """Count a response for the metrics, and a refusal by its reason."""
    traffic.answered(surface, response.status)
    if response.status >= REFUSED_FROM:
        traffic.refused(surface, refusal_reason(response, reasons))


def refusal_reason(response: AnyResponse, reasons: Mapping[int, str]) -> str:
    """What the metrics count a refusal as."""
    return response.reason or reasons.get(response.status, reasons[REFUSED_FROM])
