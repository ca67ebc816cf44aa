"""The principal of a request, and the limit of requests per person: 401 before 429, both before all other checks."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from tallystick.model.account import Principal
from tallystick.server.hot_lane import header_lines
from tallystick.services.accounts.tokens import Tokens
from tallystick.surfaces.counttogether.decoding import require_short
from tallystick.surfaces.counttogether.errors import INVALID_DATA, CodedRefusal
from tallystick.surfaces.counttogether.responses import limit_headers
from tallystick.web.address import ClientAddresses
from tallystick.web.asgi import Receive
from tallystick.web.bearer import principal_of, secret_of
from tallystick.web.rate_limit import Admission, RateLimits
from tallystick.web.refusals import RateLimited, Unauthorized
from tallystick.web.sliding_window import SlidingWindows

LIMIT = "counttogether"
PATIENCE_S = 3.0
"""The longest wait of a request for its turn: proxies and people give up after a few seconds."""

MISSING = "no Authorization header; send Authorization: Bearer TOKEN"
MALFORMED = "the Authorization header must be one, of the form Bearer TOKEN"
UNKNOWN = "unknown token"
IN_URL = "tokens in URLs end up in logs and histories; send Authorization: Bearer TOKEN"


class Gate:
    """Identifies the principal of requests and of new live connections, and applies its limit.

    Args:
        limits: ``counttogether`` counts by account, ``unknown-token`` by address.

    Attributes:
        policy: value of ``RateLimit-Policy`` for the account's limit; empty without a limit.
    """

    def __init__(self, tokens: Tokens, limits: RateLimits, addresses: ClientAddresses) -> None:
        self._tokens, self._limits, self._addresses = tokens, limits, addresses
        rate = limits.in_force[LIMIT]
        self._windows = None if rate.amount is None else SlidingWindows(rate.amount, rate.seconds)
        if self._windows is not None:
            limits.share(f"{LIMIT} by token", self._windows)
        self.policy = b"" if rate.amount is None else b'"user";q=%d;w=%d' % (rate.amount, rate.seconds)

    async def identify(self, scope: Mapping[str, Any]) -> Principal:
        """The principal of the Authorization header.

        Raises:
            Malformed, Unauthorized, RateLimited, StoreUnavailable
        """
        query = scope["query_string"]
        require_short(query)
        if b"token=" in query and _has_token(query):
            raise Unauthorized(IN_URL, b"invalid_request")
        return await self.principal(secret_in(scope), scope)

    def known(self, header: bytes) -> Principal | None:
        """The principal of the value of an Authorization header; None where it has to be looked up, or is not valid."""
        try:
            return self._tokens.known(_secret_of(header))
        except Unauthorized:
            return None

    async def principal(self, secret: str, scope: Mapping[str, Any]) -> Principal:
        """The principal of a secret.

        Raises:
            Unauthorized, RateLimited, StoreUnavailable
        """
        client = self._addresses.of(scope)
        principal = await principal_of(secret, self._tokens, self._limits, "unknown-token", client)
        if principal is None:
            raise self.refusal(scope, UNKNOWN)
        return principal

    def refusal(self, scope: Mapping[str, Any], message: str) -> Unauthorized | RateLimited:
        """The refusal of a secret that is not valid: 401, and 429 for an address that has sent too many."""
        admission = self._limits.admit_address("unknown-token", self._addresses.of(scope))
        return Unauthorized(message, b"invalid_token") if admission.admitted else RateLimited(admission)

    def permit_at_once(self, principal: Principal) -> bytes | None:
        """Take one request from the person's limit.

        Returns:
            The header lines that report the limit, empty where there is none; None where the request has to wait or is
            refused, and nothing is taken.
        """
        if self._windows is None:
            return b""
        admission = self._windows.enter_at_once(principal.account.id)
        return None if admission is None else header_lines(limit_headers(admission, self.policy))

    async def permit(self, principal: Principal, receive: Receive | None = None) -> Admission | None:
        """Take one request from the person's limit, waiting where the queue has a place; None where there is no limit.

        Args:
            receive: called after the body was read, so it returns only the disconnect; None if that is not watched.

        Raises:
            RateLimited
        """
        if self._windows is None:
            return None
        place = self._windows.enter(principal.account.id)
        if type(place) is Admission:
            admission = place
        else:
            waited = await _waited(place, receive)  # type: ignore[arg-type]
            admission = waited or self._windows.refusal(principal.account.id)
        if not admission.admitted:
            raise RateLimited(admission)
        return admission


def secret_in(scope: Mapping[str, Any]) -> str:
    """The token in the Authorization header.

    Raises:
        Unauthorized: there is no header, several, or one of another form.
    """
    header: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            if header is not None:
                raise Unauthorized(MALFORMED)
            header = value
    if header is None:
        raise Unauthorized(MISSING)
    return _secret_of(header)


def _secret_of(header: bytes) -> str:
    """The token in the value of an Authorization header.

    Raises:
        Unauthorized: it is empty, or of another form.
    """
    words = header.split()
    if len(words) != 2:  # noqa: PLR2004  # scheme and credentials
        raise Unauthorized(MALFORMED if words else MISSING)
    secret = secret_of(str(words[0], "latin-1"), str(words[1], "latin-1"))
    if secret is None:
        raise Unauthorized(MALFORMED)
    return secret


def _has_token(query: bytes) -> bool:
    return any(name in {"token", "access_token"} for name, _ in parse_qsl(query.decode("latin-1")))


async def _waited(place: "asyncio.Future[Admission]", receive: Receive | None) -> Admission | None:
    """Wait until the limit lets a request in; None when that takes too long.

    A client that disconnects meanwhile loses its place in the queue.
    """
    disconnect = None if receive is None else asyncio.create_task(_hung_up(receive))
    try:
        either: set[asyncio.Future[Any]] = {place} if disconnect is None else {place, disconnect}
        await asyncio.wait(either, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if place.done():
            return place.result()
        if disconnect is not None and disconnect.done():
            raise CodedRefusal(INVALID_DATA, "the client has hung up")
        return None
    finally:
        place.cancel()
        if disconnect is not None:
            disconnect.cancel()


async def _hung_up(receive: Receive) -> None:
    while not (await receive())["type"].endswith(".disconnect"):
        pass
