"""What the operator does against the abuse of public counters: finds, closes, freezes, deletes.

Functions of ``(session, ...)``; times in Unix milliseconds. Counters are meant by a text, as ``finding`` has it: the
beginning of a namespace, or ``namespace/`` and the beginning of a key. Many are changed in steps, each a transaction.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec import Struct

from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger, Session
from tallystick.ledger.folding import CounterWrite, fold
from tallystick.model.counter import HOUR_MS, Delete, Freeze, Operation
from tallystick.model.key import LANES, Key
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.counting.finding import BEFORE_ALL, counters_of_lane, span_of

CHANGED_AT_ONCE = 500
"""Counters of a step."""
READ_WITHIN_S = 0.5
"""How long the metrics wait for the database."""


class ListedNamespace(Struct, frozen=True):
    """A namespace of a list.

    Attributes:
        amount: its counters, or what they have changed by in this hour, as the list has it.
        reserved: whether only the owner of its site creates counters in it.
        closed: whether only people with an account do.
    """

    name: str
    amount: int
    reserved: bool
    closed: bool


class Step(Struct, frozen=True):
    """Where a change of many counters goes on.

    Attributes:
        lane: ``LANES`` when all are done.
        after: the last counter of the lane that was looked at.
        changed: counters changed so far.
    """

    lane: int = 0
    after: Key = BEFORE_ALL
    changed: int = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self.lane == LANES


class ManyChange(Struct, frozen=True):
    """What is done to many counters.

    Attributes:
        kind: of the event in the log of administrative changes.
    """

    operation: Operation
    kind: EventKind


FREEZE = ManyChange(Freeze(frozen=True), EventKind.COUNTERS_FROZEN)
UNFREEZE = ManyChange(Freeze(frozen=False), EventKind.COUNTERS_UNFROZEN)
DELETE = ManyChange(Delete(), EventKind.COUNTERS_DELETED)


def largest_namespaces(session: Session, most: int) -> list[ListedNamespace]:
    """The namespaces with the most counters."""
    return _listed(session, session.queries.largest_namespaces(session.connection, max_rows=most))


def busiest_namespaces(session: Session, now: int, most: int) -> list[ListedNamespace]:
    """The namespaces whose counters have changed most in this hour of UTC. Reads every counter."""
    session.take_time()
    rows = session.common.busiest_namespaces(session.connection, hour=now // HOUR_MS, max_rows=most)
    return _listed(session, rows)


def closed_namespaces(session: Session, after: str, most: int) -> list[str]:
    """The next namespaces, by name, in which only people with an account create counters."""
    return [name for name, _ in session.common.closed_namespaces(session.connection, after=after, max_rows=most)]


def close_namespace(session: Session, name: str, now: int) -> None:
    """Let only people with an account create counters in a namespace; those that are there count on."""
    if not session.namespaces([name])[name].closed:
        session.common.close_namespace(session.connection, namespace=name, created=now)
        note(session, EventKind.NAMESPACE_CLOSED, now, name)


def open_namespace(session: Session, name: str, now: int) -> None:
    """Let everybody create counters in a namespace again."""
    if session.namespaces([name])[name].closed:
        session.common.open_namespace(session.connection, namespace=name)
        note(session, EventKind.NAMESPACE_OPENED, now, name)


def change_some(session: Session, text: str, change: ManyChange, step: Step, now: int) -> Step:
    """Change the next counters of a text. Returns where to go on; the last step notes the whole change."""
    rows = counters_of_lane(session, step.lane, span_of(text), step.after, CHANGED_AT_ONCE)
    folded = fold(session, [CounterWrite(key, change.operation) for key, _ in rows], now)
    changed = step.changed + len(folded.changed)
    if len(rows) == CHANGED_AT_ONCE:
        return Step(step.lane, rows[-1][0], changed)
    following = Step(step.lane + 1, BEFORE_ALL, changed)
    if following.done and changed:
        note_change(session, text, change, changed, now)
    return following


def note_change(session: Session, text: str, change: ManyChange, changed: int, now: int) -> None:
    """Note a change of many counters in the log of administrative changes."""
    note(session, change.kind, now, f"{text}*", f"{changed} counters")


def change_all(write: Callable[[Step], Step], most: int | None = None) -> Step:
    """Repeat steps until all counters are changed, or more than ``most``."""
    step = Step()
    while not step.done and (most is None or step.changed < most):
        step = write(step)
    return step


def frozen_counters(session: Session, most: int) -> list[Key]:
    """The first frozen counters, by name."""
    return [Key(*row) for row in session.common.some_frozen(session.connection, max_rows=most)]


class AbuseNumbers(Struct, frozen=True):
    """For the metrics.

    Attributes:
        created: counters created since the ledger was.
        frozen: counters that are frozen.
        closed: namespaces that are closed.
    """

    created: int
    frozen: int
    closed: int


def abuse_numbers(session: Session) -> AbuseNumbers:
    """How many counters were created and are frozen, and how many namespaces are closed."""
    return AbuseNumbers(
        session.totals().keys_created,
        int(session.common.count_frozen(session.connection)),
        int(session.common.count_closed(session.connection)),
    )


class CounterNumbers:
    """The numbers for the metrics, as they were read last.

    Attributes:
        newest: None before the first read.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._reading: asyncio.Task[None] | None = None
        self.newest: AbuseNumbers | None = None

    async def look(self) -> None:
        """Read them. Where the storage fails or hangs, those of before stay; at most one read is under way."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        await asyncio.wait({self._reading}, timeout=READ_WITHIN_S)

    async def _read(self) -> None:
        with suppress(StoreUnavailable):
            self.newest = await self._ledger.read(abuse_numbers)


def _listed(session: Session, rows: Sequence[tuple[str, int]]) -> list[ListedNamespace]:
    amounts = {name: int(amount) for name, amount in rows}
    about = session.namespaces(amounts) if amounts else {}
    return [ListedNamespace(name, amount, about[name].reserved, about[name].closed) for name, amount in amounts.items()]
