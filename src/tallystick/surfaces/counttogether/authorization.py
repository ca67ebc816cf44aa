"""Whose request it is, and whether it may come now: 401 before 429, and both before anything else."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct

from tallystick.model.account import Account, Permission, Principal, Token
from tallystick.services.accounts.tokens import Tokens
from tallystick.surfaces.counttogether.decoding import require_short
from tallystick.surfaces.counttogether.errors import INVALID_DATA, ApiRefused, Forbidden, RateLimited, Unauthorized
from tallystick.web.address import ClientAddresses
from tallystick.web.asgi import Receive
from tallystick.web.rate_limit import Admission, RateLimits
from tallystick.web.sliding_window import SlidingWindows

LIMIT = "counttogether"
PATIENCE_S = 3.0
"""How long a request waits for its turn at most: proxies and people give up after a few seconds."""

MISSING = "no Authorization header; send Authorization: Bearer TOKEN"
MALFORMED = "the Authorization header must be one, of the form Bearer TOKEN"
UNKNOWN = "unknown token"
IN_URL = "tokens in URLs end up in logs and histories; send Authorization: Bearer TOKEN"


class Caller(Struct, frozen=True):
    """Whose request it is.

    Attributes:
        admission: what the person's limit said; None where there is no limit.
    """

    account: Account
    token: Token
    admission: Admission | None

    def may(self, needed: Permission) -> bool:
        """Whether the token has a permission."""
        return bool(self.token.permissions & needed.value)  # of a flag itself Python would make a new flag: hot path

    def require(self, needed: Permission) -> None:
        """Refuse a token that lacks a permission.

        Raises:
            Forbidden
        """
        if not self.may(needed):
            raise Forbidden(needed)


class Gate:
    """Where every request passes, and every opening of a live connection.

    Args:
        tokens: whom a secret stands for.
        limits: ``counttogether`` counts by person, ``unknown-token`` by address.

    Attributes:
        policy: the person's limit as ``RateLimit-Policy`` tells it; empty where there is none.
    """

    def __init__(self, tokens: Tokens, limits: RateLimits, addresses: ClientAddresses) -> None:
        self._tokens, self._limits, self._addresses = tokens, limits, addresses
        rate = limits.in_force[LIMIT]
        self._windows = None if rate.amount is None else SlidingWindows(rate.amount, rate.seconds)
        self.policy = b"" if rate.amount is None else b'"user";q=%d;w=%d' % (rate.amount, rate.seconds)

    async def admit(self, scope: Mapping[str, Any], receive: Receive | None = None) -> Caller:
        """The caller, once its limit lets it in.

        Args:
            receive: of which nothing is left to read but that the client has hung up; without it that goes unnoticed.

        Raises:
            Unauthorized, RateLimited, StoreUnavailable
        """
        return await self.permit(await self.identify(scope), receive)

    async def identify(self, scope: Mapping[str, Any]) -> Principal:
        """Who shows a good token in the Authorization header.

        Raises:
            Malformed, Unauthorized, RateLimited, StoreUnavailable
        """
        query = scope["query_string"]
        require_short(query)
        if b"token=" in query and _has_token(query):
            raise Unauthorized(IN_URL, b"invalid_request")
        return await self.holder(secret_in(scope), scope)

    async def holder(self, secret: str, scope: Mapping[str, Any]) -> Principal:
        """Whom a secret stands for, wherever it was sent.

        Raises:
            Unauthorized, RateLimited, StoreUnavailable
        """
        address = self._addresses.of(scope)

        def refusal() -> RateLimited | None:
            state = self._limits.address_state("unknown-token", address)
            return None if state.admitted else RateLimited(state)

        found = await self._tokens.holder(secret, refusal)
        if found is None:
            raise self.refusal(scope, UNKNOWN)
        return found

    def refusal(self, scope: Mapping[str, Any], message: str) -> ApiRefused:
        """What is said to a secret that is not good: 401, and 429 to an address that has tried too many."""
        admission = self._limits.admit_address("unknown-token", self._addresses.of(scope))
        return Unauthorized(message, b"invalid_token") if admission.admitted else RateLimited(admission)

    async def permit(self, holder: Principal, receive: Receive | None = None) -> Caller:
        """Take one of the person's requests a minute, waiting for it where there is a place in the queue.

        Raises:
            RateLimited
        """
        admission = None
        if self._windows is not None:
            place = self._windows.enter(holder.account.id)
            if type(place) is Admission:
                admission = place
            else:
                waited = await _waited(place, receive)  # type: ignore[arg-type]
                admission = waited or self._windows.refusal(holder.account.id)
            if not admission.admitted:
                raise RateLimited(admission)
        return Caller(holder.account, holder.token, admission)


def secret_in(scope: Mapping[str, Any]) -> str:
    """The token in the Authorization header.

    Raises:
        Unauthorized: there is no header, or none that can be read.
    """
    header: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            if header is not None:
                raise Unauthorized(MALFORMED)
            header = value
    if header is None or not header.strip():
        raise Unauthorized(MISSING)
    words = header.split()
    if len(words) != 2 or words[0].lower() != b"bearer":  # noqa: PLR2004  # scheme and token
        raise Unauthorized(MALFORMED)
    return str(words[1], "latin-1")


def _has_token(query: bytes) -> bool:
    return any(name in {"token", "access_token"} for name, _ in parse_qsl(query.decode("latin-1")))


async def _waited(place: "asyncio.Future[Admission]", receive: Receive | None) -> Admission | None:
    """Wait until the limit lets a request in; None when that takes too long.

    A client that hangs up meanwhile gives its place up.
    """
    gone = None if receive is None else asyncio.create_task(_hung_up(receive))
    try:
        either: set[asyncio.Future[Any]] = {place} if gone is None else {place, gone}
        await asyncio.wait(either, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if place.done():
            return place.result()
        if gone is not None and gone.done():
            raise ApiRefused(INVALID_DATA, "the client has hung up")
        return None
    finally:
        place.cancel()
        if gone is not None:
            gone.cancel()


async def _hung_up(receive: Receive) -> None:
    while not (await receive())["type"].endswith(".disconnect"):
        pass
