"""Tickets: one-use credentials that stand for a token for a minute.

Browsers can set no Authorization header on a WebSocket, and tokens do not belong in URLs.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

from msgspec import Struct

from tallystick.errors import TallystickError

VALID_S = 60.0
BYTES = 24
TICKETS_AT_MOST = 100_000


class TooManyTickets(TallystickError):
    """``TICKETS_AT_MOST`` tickets are waiting to be used; some are over within ``VALID_S``."""

    def __init__(self) -> None:
        super().__init__("too many tickets are waiting to be used")


class Ticket(Struct, frozen=True):
    """What a ticket stands for.

    Attributes:
        token, prefix: the token's id, and the first characters of its secret when the ticket was issued.
        origin: of the page that may use it.
        ends: seconds, on the clock of the tickets.
    """

    token: int
    prefix: str
    origin: str
    ends: float


class Tickets:
    """Tickets that are not spent yet, by digest. In memory only: they are valid on this server alone.

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
            origin: of the page that may use it, in the surface's own terms.

        Raises:
            TooManyTickets
        """
        now = self._clock()
        while self._tickets and next(iter(self._tickets.values())).ends <= now:
            self._tickets.popitem(last=False)
        if len(self._tickets) >= TICKETS_AT_MOST:
            raise TooManyTickets
        secret = secrets.token_urlsafe(BYTES)
        self._tickets[_digest(secret)] = Ticket(token, prefix, origin, now + VALID_S)
        return secret

    def spend(self, secret: str) -> Ticket | None:
        """What a ticket stands for; None for one that is not valid. An attempt spends it, also from a wrong origin."""
        ticket = self._tickets.pop(_digest(secret), None)
        return None if ticket is None or ticket.ends <= self._clock() else ticket


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
