"""Reads. Single counters are looked up in batches like the writer's; everything else has its own threads."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any, TypeVar

import structlog
from msgspec import Struct

from tallystick.errors import StoreAway, StoreBusy, StoreClosed, StoreFailed, StoreUnavailable, reason_of
from tallystick.gathering import GatheringThread, Resolvable, raisable, resolve_futures
from tallystick.ledger.database import Database, Session, opened
from tallystick.model.counter import Counter
from tallystick.model.key import Key

QUEUE_LIMIT = 20_000
BATCH_LIMIT = 1_000
THREADS = 2
READS_AT_ONCE = 1_000

Result = TypeVar("Result")

log = structlog.get_logger()


class Find(Struct, eq=False):
    """A pending look-up of a counter."""

    key: Key
    future: Resolvable


class Finder:
    """Looks counters up in batches, which gather while one look-up runs. Reads only committed states."""

    def __init__(self, database: Database, loop: AbstractEventLoop) -> None:
        self._sessions, self._loop = OneSession(database), loop
        self.thread: GatheringThread[Find] = GatheringThread(
            "ledger-finder",
            work=self._work,
            give_up=self._give_up,
            stop=self._sessions.drop,
            queue_limit=QUEUE_LIMIT,
            batch_limit=BATCH_LIMIT,
            loop=loop,
        )

    def _work(self, batch: list[Find]) -> None:
        def find(session: Session) -> dict[Key, Counter]:
            return session.find({item.key for item in batch})

        results: Sequence[Counter | StoreUnavailable | None]
        try:
            # A single statement reads one consistent state.
            counters = self._sessions.use(find)
        except StoreUnavailable as error:
            results = [error] * len(batch)
        else:
            results = [counters.get(item.key) for item in batch]
        resolve_futures(self._loop, [item.future for item in batch], results)

    def _give_up(self, batch: list[Find], error: Exception) -> None:
        resolve_futures(
            self._loop, [item.future for item in batch], [StoreFailed(f"a read failed: {error}")] * len(batch)
        )


class LedgerReaders:
    """A few threads with a connection each, for reads that may take a while."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._own = local()
        self._all: list[OneSession] = []
        self._running, self._closed = 0, False
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ledger-reader", initializer=self._start)

    def _start(self) -> None:
        self._own.session = OneSession(self._database)
        self._all.append(self._own.session)

    async def read(self, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """Run ``function(session, *arguments)`` on one snapshot.

        Raises:
            StoreBusy: too many reads are pending.
            StoreClosed: the threads are being stopped.
            StoreAway, StoreFailed: the database cannot be read.
            Exception: raised by the function.
        """
        if self._closed:
            msg = "the server is stopping"
            raise StoreClosed(msg)
        if self._running >= READS_AT_ONCE:
            msg = "too many requests are waiting"
            raise StoreBusy(msg)
        self._running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, function, arguments)
        finally:
            self._running -= 1

    def _read(self, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        sessions: OneSession = self._own.session

        def on_one_snapshot(session: Session) -> Result:
            with session.snapshot():
                return function(session, *arguments)

        try:
            return sessions.use(on_one_snapshot)
        except StopIteration as error:
            raise raisable(error) from error  # a future cannot hold it: the caller would wait for ever

    async def close(self) -> None:
        """Finish the reads in progress, then close the connections."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
        for session in self._all:
            session.drop()


class OneSession:
    """A connection that is opened when first needed and discarded when it fails. Used by one thread at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session: Session | None = None
        self._failing = False

    def use(self, function: Callable[[Session], Result]) -> Result:
        """Run ``function(session)``, which only reads.

        If the connection is lost, the function is called again on a new one: otherwise the first read after an outage
        of the database would fail.

        Raises:
            StoreUnavailable: the database cannot be read; the next call opens a new connection.
            Exception: raised by the function; the connection stays open.
        """
        try:
            result = self._used(function)
        except StoreUnavailable as error:
            self._failed(reason_of(error))
            raise
        if self._failing:
            self._failing = False
            log.info("reads succeed again")
        return result

    def _used(self, function: Callable[[Session], Result]) -> Result:
        if self._session is not None:
            try:
                return function(self._session)
            except StoreAway:
                self.drop()
        self._session = opened(self._database)
        return function(self._session)

    def _failed(self, reason: str) -> None:
        self.drop()
        if not self._failing:
            log.error("a read failed", reason=reason)
        self._failing = True

    def drop(self) -> None:
        """Close the connection."""
        if self._session is not None:
            session, self._session = self._session, None
            try:
                session.close()
            except Exception as error:  # noqa: BLE001  # it is not used any more
                log.warning("a connection could not be closed", reason=str(error))
