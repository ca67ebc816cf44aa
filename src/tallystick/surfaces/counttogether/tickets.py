"""Tickets: what a browser opens a WebSocket with, since it can set no Authorization header."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from msgspec import Struct

from tallystick.model.origin import browser_origin
from tallystick.surfaces.counttogether.errors import UNAVAILABLE, ApiRefused, Malformed
from tallystick.web.own_address import is_own_origin

VALID_S = 60.0
BYTES = 24
TICKETS_AT_MOST = 100_000
OWN_HOST = ""
"""In the place of an origin: the server's own, whatever it is called."""


class Ticket(Struct, frozen=True):
    """What a ticket stands for.

    Attributes:
        token, prefix: the token's number, and the first characters of the secret that asked for the ticket.
        origin: of the page that it is for.
        ends: seconds, on the clock of the tickets.
    """

    token: int
    prefix: str
    origin: str
    ends: float


class Tickets:
    """Tickets that are not spent yet, by digest. In memory only: they are good on this server alone.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tickets: OrderedDict[bytes, Ticket] = OrderedDict()  # in the order of their ends

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._tickets)

    def issue(self, token: int, prefix: str, origin: str) -> str:
        """A new ticket for a token.

        Args:
            prefix: the first characters of the token's secret.
            origin: the page that may use it; ``OWN_HOST`` for the server's own pages.

        Raises:
            ApiRefused: there are too many.
        """
        now = self._clock()
        while self._tickets and next(iter(self._tickets.values())).ends <= now:
            self._tickets.popitem(last=False)
        if len(self._tickets) >= TICKETS_AT_MOST:
            msg = "too many tickets are waiting to be used"
            raise ApiRefused(UNAVAILABLE, msg, ((b"retry-after", b"%d" % VALID_S),))
        secret = secrets.token_urlsafe(BYTES)
        self._tickets[_digest(secret)] = Ticket(token, prefix, origin, now + VALID_S)
        return secret

    def spend(self, secret: str) -> Ticket | None:
        """What a ticket stands for; None for one that is not good.

        Whoever tries a ticket has used it, also at the wrong origin.
        """
        found = self._tickets.pop(_digest(secret), None)
        return None if found is None or found.ends <= self._clock() else found


def origin_in(text: str) -> str:
    """An origin as browsers write it.

    Raises:
        Malformed
    """
    try:
        return browser_origin(text)
    except ValueError as error:
        msg = "an origin is http:// or https:// and a host, for example https://example.com"
        raise Malformed(msg) from error


def is_from(origin: str, scope: Mapping[str, Any]) -> bool:
    """Whether a request comes from a page of an origin.

    Args:
        origin: as a ticket has it; programs, which are no page and show none, may use those of the server's own.
    """
    shown: bytes | None = dict(scope["headers"]).get(b"origin")
    if origin == OWN_HOST:
        return shown is None or is_own_origin(shown.decode("latin-1"), scope)
    try:
        return shown is not None and browser_origin(shown.decode("latin-1")) == origin
    except ValueError:
        return False


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
