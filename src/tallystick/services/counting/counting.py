"""The operations on public counters."""

from asyncio import Future

from msgspec.structs import replace

from tallystick.gathering import Resolvable
from tallystick.ledger import Ledger, Session, Totals
from tallystick.ledger.folding import Admit, CounterWrite, fold, transactions
from tallystick.model.counter import (
    FOREVER,
    HIT,
    LIFETIME_MS,
    NEVER,
    RESTRICTED,
    Add,
    Counter,
    Create,
    Delete,
    Outcome,
    Renew,
    Set,
    alive,
)
from tallystick.model.key import Key, is_public, lane_of
from tallystick.services.counting.add_once import AddOnce, ReplayedAddition, add_once
from tallystick.services.counting.owned.rules import AddingSender, create_unique
from tallystick.services.idempotency import InFlight, KeyedRequest

SWEPT_AT_ONCE = 2_000
"""Counters that one step of the sweep reads: a range of the primary key, a few milliseconds."""

REMOVED_AT_ONCE = 50
"""Expired counters that are removed in one transaction, each with its history."""


class Counting:
    """The operations on public counters.

    Args:
        lifetime: milliseconds that a counter lives after its last change, or ``NEVER``.
        in_flight: keyed requests in flight, shared by all services; a new one by default.

    Attributes:
        hit: the operation of a hit, built once: hot path.
    """

    def __init__(self, ledger: Ledger, lifetime: int = LIFETIME_MS, in_flight: InFlight | None = None) -> None:
        self._ledger, self.lifetime = ledger, lifetime
        self.hit = replace(HIT, lifetime=lifetime)
        self._renewing = lifetime == NEVER
        self._swept: Key | None = None
        self._in_flight = InFlight() if in_flight is None else in_flight

    def add(self, key: Key, operation: Add, admit: Admit | None = None) -> "Future[Outcome]":
        """Add an amount; ``admit`` is called before a counter is created."""
        return self._ledger.count(key, operation, admit)

    def add_into(self, future: Resolvable, key: Key, operation: Add, admit: Admit | None = None) -> None:
        """Like ``add``, for a caller that brings what waits for the outcome."""
        self._ledger.count_into(future, key, operation, admit)

    async def add_checked(self, key: Key, operation: Add, sender: AddingSender) -> Outcome:
        """Add an amount to a counter that counts only what its owner's rules admit (``RefusalReason.RESTRICTED``)."""
        item = AddOnce(key=key, operation=operation, sender=sender)
        outcome: Outcome = await self._ledger.join(add_once, item, lane_of(key))
        return outcome

    async def add_once(
        self,
        request: KeyedRequest,
        key: Key,
        operation: Add,
        admit: Admit | None = None,
        sender: AddingSender | None = None,
    ) -> Outcome | ReplayedAddition:
        """Add an amount, or return the recorded outcome if the request was carried out before.

        Args:
            sender: for the rules of the counter's owner.

        Raises:
            KeyReused: the key was used for another request.
            KeyInFlight: the same request is in flight.
        """
        self._ledger.note_request()
        item = AddOnce(key=key, operation=operation, admit=admit, sender=sender, request=request)
        with self._in_flight.alone(request):
            result: Outcome | ReplayedAddition = await self._ledger.join(add_once, item, lane_of(key))
        return result

    def set(self, key: Key, value: int) -> "Future[Outcome]":
        """Replace the value of a resettable counter."""
        return self._ledger.count(key, Set(value, lifetime=self.lifetime))

    def create(self, key: Key, operation: Create, admit: Admit | None = None) -> "Future[Outcome]":
        """Create a counter."""
        return self._ledger.count(key, operation, admit)

    async def create_unique(self, key: Key, operation: Create, one_each: str, admit: Admit | None = None) -> Outcome:
        """Create a counter that counts each visitor once in an ``hour``, a ``day`` or a ``visit``."""
        self._ledger.note_request()
        item = CounterWrite(key, replace(operation, flags=RESTRICTED), admit)
        return await self._ledger.write(create_unique, item, one_each, self._ledger.clock())

    async def get(self, key: Key) -> Counter | None:
        """The committed state of a counter; None if it does not exist."""
        self._ledger.note_request()
        return alive(await self._ledger.find(key), self._ledger.clock())

    def get_into(self, future: Resolvable, key: Key) -> None:
        """Like ``get``, for a caller that brings what waits for the counter as it is stored (see ``alive_now``)."""
        self._ledger.find_into(future, key)
        self._ledger.note_request()

    def alive_now(self, counter: Counter | None) -> Counter | None:
        """The counter unless it has expired."""
        return alive(counter, self._ledger.clock())

    async def get_at(self, key: Key) -> tuple[Counter | None, int]:
        """The counter like ``get``, and the time of the read in Unix milliseconds."""
        self._ledger.note_request()
        counter, now = await self._ledger.find(key), self._ledger.clock()
        return alive(counter, now), now

    def note_request(self) -> None:
        """Count a request that neither changes nor reads a counter."""
        self._ledger.note_request()

    async def totals(self) -> Totals:
        """The totals since the database was created, this request included."""
        self._ledger.note_request()
        await self._ledger.flush()
        return await self._ledger.read(_totals)

    async def renew(self) -> None:
        """If counters never expire, remove the expiry of counters that were stored with one; once after a start."""
        while self._renewing:
            page = await self._ledger.read(_page, self._swept)
            now = self._ledger.clock()
            renewed = [
                CounterWrite(key, Renew(NEVER))
                for key, counter in page
                if is_public(key) and counter.expires < FOREVER and alive(counter, now)
            ]
            for lane in transactions(renewed, lanes_alone=True):
                await self._ledger.write(fold, lane, now)
            self._swept = page[-1][0] if len(page) == SWEPT_AT_ONCE else None
            self._renewing = self._swept is not None

    async def sweep(self) -> int:
        """Remove expired public counters among the next ones in storage order. Returns how many.

        Repeated calls go through all counters and start over; the cost of a call does not depend on how many there
        are. Removes nothing before ``renew`` is done.
        """
        if self._renewing:
            return 0
        page = await self._ledger.read(_page, self._swept)
        self._swept = page[-1][0] if len(page) == SWEPT_AT_ONCE else None
        now = self._ledger.clock()
        expired = [
            CounterWrite(key, Delete(only_expired=True))
            for key, counter in page
            if is_public(key) and not alive(counter, now)
        ]
        removed = 0
        for lane in transactions(expired, lanes_alone=True):
            for start in range(0, len(lane), REMOVED_AT_ONCE):
                folded = await self._ledger.write(fold, lane[start : start + REMOVED_AT_ONCE], now)
                removed += sum(outcome.refused is None for outcome in folded.outcomes)
        return removed


def _totals(session: Session) -> Totals:
    return session.totals()


def _page(session: Session, after: Key | None) -> list[tuple[Key, Counter]]:
    return session.page(after, SWEPT_AT_ONCE)
