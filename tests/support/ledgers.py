"""Opens ledgers, and takes hold of their time and their commits."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from inspect import isawaitable
from threading import Condition
from typing import Any

from builders import NOW
from tallystick.errors import StoreUnavailable
from tallystick.ledger import Database, Ledger, Session, Totals
from tallystick.model.counter import LIFETIME_MS

WITHIN_S = 30.0


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now

    def pass_a_lifetime(self) -> None:
        """Move to the millisecond in which what was counted just now expires."""
        self.now += LIFETIME_MS


class Gate:
    """Every writing transaction of a database passes here.

    Attributes:
        held: how many transactions wait at the gate.
        failing: raised at the end of every transaction, in place of its commit.
    """

    def __init__(self) -> None:
        self.held = 0
        self.failing: StoreUnavailable | None = None
        self._open = True
        self._changed = Condition()

    def close(self) -> None:
        """Hold every transaction from now on."""
        with self._changed:
            self._open = False

    def open(self) -> None:
        """Let everyone through."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    async def until_held(self, transactions: int = 1) -> None:
        """Return when so many transactions wait."""
        await until(lambda: self.held >= transactions)

    def wait(self) -> None:
        """Before a transaction, on its thread."""
        with self._changed:
            self.held += 1
            let_through = self._changed.wait_for(lambda: self._open, WITHIN_S)
            self.held -= 1
            self._open = True  # one test fails once
            assert let_through, "the gate was never opened"


def gate_of(database: Database) -> Gate:
    """Put a gate before the writing transactions of every session that is opened from now on."""
    gate, open_session = Gate(), database.session

    def session(*, writes: bool = False) -> Any:
        opened: Any = open_session(writes=writes)
        if writes:
            transaction = opened.transaction

            @contextmanager
            def gated() -> Iterator[None]:
                gate.wait()
                with transaction():
                    yield
                    if gate.failing:
                        raise gate.failing

            opened.transaction = gated
        return opened

    database.session = session  # type: ignore[method-assign]  # the point of this function
    return gate


@asynccontextmanager
async def opened(database: Database, clock: Callable[[], int] | None = None) -> AsyncIterator[Ledger]:
    """A ledger that is closed at the end; it tells the time by a ``Clock`` of its own."""
    ledger = await Ledger.open(database, clock or Clock())
    try:
        yield ledger
    finally:
        await ledger.close()


async def totals(ledger: Ledger) -> Totals:
    """What has been counted so far."""
    await ledger.flush()
    return await ledger.read(_totals)


def _totals(session: Session) -> Totals:
    return session.totals()


async def until(condition: Callable[[], object]) -> None:
    """Return when a condition holds; it may be a coroutine function."""
    deadline = time.monotonic() + WITHIN_S
    while not (await holds if isawaitable(holds := condition()) else holds):
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.002)
