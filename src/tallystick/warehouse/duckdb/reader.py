"""Reads: a few threads, a connection and a snapshot for each read."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import duckdb
import structlog

from tallystick.errors import StoreBusy, StoreClosed
from tallystick.gathering import raisable
from tallystick.warehouse.duckdb.store import Store, transaction, understood

THREADS = 2
READS_AT_ONCE = 500
INTERRUPTED_AGAIN_AFTER_S = 0.1

Result = TypeVar("Result")

log = structlog.get_logger()


class WarehouseReaders:
    """Threads that read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reads, self._closed = 0, False
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="warehouse-reader")

    async def read(self, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """``function(session, *arguments)`` on one snapshot, which shows everything acknowledged.

        Raises:
            StoreBusy: too many reads wait, or this one needs more memory than there is.
            StoreClosed: the threads are being stopped.
            StoreFailed: the database failed.
            Exception: what the function raises, as it is.
        """
        if self._closed:
            msg = "the server is stopping"
            raise StoreClosed(msg)
        if self._reads >= READS_AT_ONCE:
            msg = "too many requests are waiting"
            raise StoreBusy(msg)
        self._reads += 1
        running = _Running()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, self._read, running, function, arguments)
        except asyncio.CancelledError:
            # The client hung up, or the read took too long: other reads need its thread.
            _interrupt_until_ended(loop, running)
            raise
        finally:
            self._reads -= 1

    def _read(self, running: "_Running", function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        try:
            with (
                self._store.session() as session,
                running.on(session.connection),
                transaction(session.connection, "BEGIN TRANSACTION READ ONLY"),
            ):
                return function(session, *arguments)
        except StopIteration as error:
            raise raisable(error) from error  # no future takes it: the caller would wait for ever
        except duckdb.Error as error:
            if running.given_up:
                raise understood(error) from error
            log.error("a read of the warehouse failed", reason=str(error))  # noqa: TRY400  # the reason says it all
            raise understood(error) from error

    async def close(self) -> None:
        """Finish the reads that have begun or wait."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)


class _Running:
    """A read on its thread, which can be given up from the event loop.

    Attributes:
        given_up: whether its result is of no use any more.
    """

    def __init__(self) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._lock = Lock()
        self.given_up = self.ended = False

    @contextmanager
    def on(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Run on a connection; it can be interrupted until the block ends."""
        self._connection = connection
        try:
            yield
        finally:
            with self._lock:
                self._connection, self.ended = None, True

    def interrupt(self) -> None:
        """End the statement that runs at this moment."""
        with self._lock:
            self.given_up = True
            if self._connection is not None:
                self._connection.interrupt()


def _interrupt_until_ended(loop: asyncio.AbstractEventLoop, running: _Running, times: int = 50) -> None:
    """A read may be between two statements: each that it begins is ended as well."""
    running.interrupt()
    if not running.ended and times:
        loop.call_later(INTERRUPTED_AGAIN_AFTER_S, _interrupt_until_ended, loop, running, times - 1)
