"""Tickets: one-use credentials that stand for a token for a minute.

Browsers can set no Authorization header on a WebSocket, and tokens do not belong in URLs.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from msgspec import Struct

from tallystick.errors import TallystickError
from tallystick.ledger import Ledger, Session

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
        origin: of the page that may use it, in the surface's own terms.
    """

    token: int
    prefix: str
    origin: str


class Tickets(Protocol):
    """Tickets that are not spent yet, by digest."""

    async def issue(self, ticket: Ticket) -> str:
        """The secret of a new ticket, valid for ``VALID_S``.

        Raises:
            TooManyTickets
            StoreUnavailable: they are in the ledger, which cannot be written.
        """

    async def spend(self, secret: str) -> Ticket | None:
        """What a ticket stands for; None for one that is not valid. An attempt spends it, also from a wrong origin.

        Raises:
            StoreUnavailable: they are in the ledger, which cannot be written.
        """


def tickets_of(ledger: Ledger) -> Tickets:
    """Tickets in the ledger where several servers may use it, else in memory."""
    return LedgerTickets(ledger) if ledger.database.lanes_alone else MemoryTickets()


class MemoryTickets:
    """Tickets of a server that is the only one on its ledger.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tickets: OrderedDict[bytes, tuple[Ticket, float]] = OrderedDict()  # with their ends, and in this order

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._tickets)

    async def issue(self, ticket: Ticket) -> str:
        """See ``Tickets``."""
        now = self._clock()
        while self._tickets and next(iter(self._tickets.values()))[1] <= now:
            self._tickets.popitem(last=False)
        if len(self._tickets) >= TICKETS_AT_MOST:
            raise TooManyTickets
        secret = secrets.token_urlsafe(BYTES)
        self._tickets[_digest(secret)] = ticket, now + VALID_S
        return secret

    async def spend(self, secret: str) -> Ticket | None:
        """See ``Tickets``."""
        ticket, ends = self._tickets.pop(_digest(secret), (None, 0.0))
        return None if ends <= self._clock() else ticket


class LedgerTickets:
    """Tickets that any server of a PostgreSQL ledger issues, and any other one takes."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def issue(self, ticket: Ticket) -> str:
        """See ``Tickets``."""
        secret = secrets.token_urlsafe(BYTES)
        await self._ledger.write(_add, _digest(secret), ticket)
        return secret

    async def spend(self, secret: str) -> Ticket | None:
        """See ``Tickets``."""
        return await self._ledger.write(_spend, _digest(secret))


def _add(session: Session, digest: bytes, ticket: Ticket) -> None:
    session.queries.forget_tickets(session.connection)
    stored = session.queries.add_ticket(
        session.connection,
        digest=digest,
        token=ticket.token,
        prefix=ticket.prefix,
        origin=ticket.origin,
        seconds=VALID_S,
        at_most=TICKETS_AT_MOST,
    )
    if not stored:
        raise TooManyTickets


def _spend(session: Session, digest: bytes) -> Ticket | None:
    row = session.queries.spend_ticket(session.connection, digest=digest)
    return None if row is None else Ticket(*row)


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
