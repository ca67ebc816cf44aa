"""The ledger's async methods, in front of blocking storage."""

import asyncio
import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Self, TypeVar

from tallystick.errors import DatabaseUnreachable, StoreUnavailable
from tallystick.gathering import Resolvable
from tallystick.ledger.database import Database, Session
from tallystick.ledger.folding import Admit
from tallystick.ledger.lanes import Lanes
from tallystick.ledger.measurements import LedgerMeasurements
from tallystick.ledger.reader import Find, Finder, LedgerReaders
from tallystick.ledger.shared_clock import SharedClock
from tallystick.ledger.watched import Watched
from tallystick.ledger.writer import Joined, JoinedFunction, LedgerWriter, PendingCall, PendingCount
from tallystick.model.counter import Counter, Operation, Outcome
from tallystick.model.key import Key, lane_of

Result = TypeVar("Result")


def milliseconds() -> int:
    """The wall clock, Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Ledger:
    """Counters, accounts and related data, stored durably. Used from one event loop; see ``Ledger.open``.

    Args:
        database: its schema must be up to date (``Database.migrate``).
        clock: Unix milliseconds.

    Attributes:
        passed: milliseconds of the clock by which idempotency records age. A server sets one that ignores jumps of the
            wall clock (``TimePassed``); the default is the wall clock. Called on any thread.
    """

    def __init__(self, database: Database, loop: AbstractEventLoop, clock: Callable[[], int]) -> None:
        self.database = database
        self.clock = self.passed = clock
        self._loop = loop
        self.watched = Watched(loop)
        """Publishes what the writers commit."""
        self._writers = [
            LedgerWriter(database, loop, clock, self._time_passed, number, self.watched)
            for number in range(database.writers)
        ]
        # Looked up once: these are the hot lane.
        self._submit = [writer.thread.submit for writer in self._writers]
        self._finder = Finder(database, loop)
        self._readers = LedgerReaders(database)
        self._lanes = Lanes(database, self.measurements)
        self._commits_before = 0

    @classmethod
    async def open(cls, database: Database, clock: Callable[[], int] | None = None) -> Self:
        """Bring the schema up to date and start the writers.

        Args:
            clock: Unix milliseconds; by default the wall clock, or the database's where several servers share it.

        Raises:
            StartRefused: see ``Database.migrate``.
        """
        if clock is None:
            clock = SharedClock() if database.lanes_alone else milliseconds
        commits = await asyncio.to_thread(_prepare, database, clock)
        ledger = cls(database, asyncio.get_running_loop(), clock)
        ledger._commits_before = commits
        return ledger

    def count(self, key: Key, operation: Operation, admit: Admit | None = None) -> "Future[Outcome]":
        """Carry out one operation on a counter; durable when the future has a result.

        Args:
            admit: called on the writer's thread before the operation creates its counter; False refuses that.

        Raises:
            StoreBusy, StoreClosed: at once; StoreUnavailable: from the future.
        """
        future = self._loop.create_future()
        self.count_into(future, key, operation, admit)
        return future

    def count_into(self, future: Resolvable, key: Key, operation: Operation, admit: Admit | None = None) -> None:
        """Like ``count``, for a caller that brings what waits for the outcome.

        Raises:
            StoreBusy, StoreClosed: at once; then nothing is resolved.
        """
        submit = self._submit
        number = 0 if len(submit) == 1 else lane_of(key) % len(submit)
        item = PendingCount(key=key, operation=operation, admit=admit, future=future, submitted=time.perf_counter())
        try:
            submit[number](item)
        except StoreUnavailable:
            self.note_request()
            raise

    def find(self, key: Key) -> "Future[Counter | None]":
        """Read the committed state of one counter, also of an expired one."""
        future = self._loop.create_future()
        self.find_into(future, key)
        return future

    def find_into(self, future: Resolvable, key: Key) -> None:
        """Like ``find``, for a caller that brings what waits for the counter.

        Raises:
            StoreBusy, StoreClosed: at once; then nothing is resolved.
        """
        self._finder.thread.submit(Find(key, future))

    async def read(self, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """Run ``function(session, *arguments)`` on a reader thread, on one snapshot.

        Raises:
            StoreUnavailable: the storage failed.
            Exception: raised by the function.
        """
        return await self._readers.read(function, *arguments)

    async def write(self, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """Run ``function(session, *arguments)`` in the next batch; durable when it returns.

        Raises:
            StoreUnavailable: the storage failed, and the whole batch with it.
            Exception: raised by the function; only its own changes are undone.
        """
        result: Result = await self._write(self._writers[0], function, *arguments)
        return result

    def read_from_thread(self, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """Like ``read``, for any thread but the event loop's, which waits."""
        return asyncio.run_coroutine_threadsafe(self.read(function, *arguments), self._loop).result()

    def write_from_thread(self, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """Like ``write``, for any thread but the event loop's, which waits."""
        return asyncio.run_coroutine_threadsafe(self.write(function, *arguments), self._loop).result()

    def join(self, function: JoinedFunction, item: object, lane: int = 0) -> "Future[Any]":
        """Run ``function(session, [item, ...], now, passed)`` for a batch; durable when the future resolves.

        For writes that arrive in large numbers: a batch takes a few statements, not each item. The function refuses an
        item by returning an exception in its place; the others of the batch are kept. If it raises, the batch is undone
        and retried in halves, until only the item that makes it raise has changed nothing and gets the error.

        Args:
            function: the same object for all items that may be carried out together.
            item: of this call; the function returns its result in the same position.
            lane: see ``Joined``.

        Raises:
            StoreBusy, StoreClosed: at once.
            StoreUnavailable, or what the function raises for this item: from the future.
        """
        future: Future[Any] = self._loop.create_future()
        self.join_into(future, function, item, lane)
        return future

    def join_into(self, future: Resolvable, function: JoinedFunction, item: object, lane: int = 0) -> None:
        """Like ``join``, for a caller that brings what waits for the result.

        Raises:
            StoreBusy, StoreClosed: at once; then nothing is resolved.
        """
        writer = self._writers[lane % len(self._writers)]
        writer.thread.submit(Joined(function, item, lane, future))

    def subscribe(self, subject: str, callback: Callable[[], None]) -> None:
        """Call a function on the event loop after each write of this server that changed a subject: for caches.

        It is called before the write's caller gets the result. Functions of ``(session, ...)`` that change a subject
        add it to ``Session.changed``. Writes of other servers and of the command line are not reported.
        """
        self.watched.subscribe(subject, callback)

    def seconds(self) -> int:
        """The clock, Unix seconds."""
        return self.clock() // 1000

    async def look_at_clock(self) -> None:
        """Read the clock of the database again, if that is the clock.

        Raises:
            StoreUnavailable: the clock goes on from what was read before.
        """
        if isinstance(self.clock, SharedClock):
            await self.read(self.clock.measure)

    def _time_passed(self) -> int:
        return self.passed()

    def note_request(self) -> None:
        """Count a request that is in no batch; stored within a second (CountAPI's ``stats``)."""
        self._writers[0].noted += 1

    async def flush(self) -> None:
        """Return when all noted requests are stored and commits succeed."""
        await asyncio.gather(*(self._save_noted(writer) for writer in self._writers))

    async def _save_noted(self, writer: LedgerWriter) -> None:
        await self._write(writer, _nothing)

    async def lanes_free(self) -> bool:
        """Whether no lane is blocked by another server's lock; always True on a database of one server.

        Raises:
            StoreUnavailable: the database cannot be reached, or takes no changes.
        """
        return await self._lanes.free()

    async def close(self) -> None:
        """Finish all accepted operations and close; on SQLite the WAL is folded into the database file."""
        await self._lanes.close()
        await self._finder.thread.close()
        await self._readers.close()
        for writer in self._writers:
            await writer.thread.close()

    @property
    def measurements(self) -> Sequence[LedgerMeasurements]:
        """Measurements of each writer."""
        return [writer.measurements for writer in self._writers]

    @property
    def commits(self) -> int:
        """A lower bound of the number of transactions since the ledger was created; may be read on any thread.

        Transactions of other servers since the start are not included.
        """
        return self._commits_before + sum(writer.committed for writer in self._writers)

    def has_come_to(self, commits: int) -> None:
        """Raise the number of commits to one that another store has noted."""
        self._commits_before += max(0, commits - self.commits)

    @property
    def waiting(self) -> int:
        """The number of pending writes."""
        return sum(len(writer.thread) for writer in self._writers)

    @property
    def queue_limit(self) -> int:
        """How many writes may be pending, of all writers together."""
        return sum(writer.thread.queue_limit for writer in self._writers)

    @property
    def full(self) -> bool:
        """Whether the queue of a writer is full."""
        return any(len(writer.thread) >= writer.thread.queue_limit for writer in self._writers)

    def _write(self, writer: LedgerWriter, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":  # noqa: ANN401
        future: Future[Any] = self._loop.create_future()
        writer.thread.submit(PendingCall(function, arguments, future))
        return future


def _prepare(database: Database, clock: Callable[[], int]) -> int:
    """Bring the schema up to date, and read the database's clock. Returns the number of transactions so far."""
    database.migrate()
    try:
        with closing(database.session()) as session, session.snapshot():
            if isinstance(clock, SharedClock):
                clock.measure(session)
            return session.commits()
    except StoreUnavailable as error:
        msg = f"cannot read the database {database.describe()}: {error}"
        raise DatabaseUnreachable(msg) from error


def _nothing(_: Session) -> None:
    """Write nothing: only the commit of its batch is needed."""
