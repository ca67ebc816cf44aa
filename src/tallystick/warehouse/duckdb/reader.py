"""Reads: a few threads, a connection and a snapshot for each read."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import duckdb
import structlog

from tallystick.errors import StoreClosed, StoreFailed, StoreUnavailable
from tallystick.gathering import raisable
from tallystick.turns import Turns
from tallystick.warehouse.duckdb.instance import Instance, is_broken
from tallystick.warehouse.duckdb.store import store_error, transaction

THREADS = 2
READS_AT_ONCE = 500
INTERRUPTED_AGAIN_AFTER_S = 0.1

Result = TypeVar("Result")

log = structlog.get_logger()


class WarehouseReaders:
    """Threads that read.

    Args:
        translated: translates an error of DuckDB into ours.
        alone: nobody else uses the instance, so that a failed one is opened again here.
    """

    def __init__(
        self,
        store: Instance,
        translated: Callable[[duckdb.Error], StoreUnavailable] = store_error,
        *,
        alone: bool = False,
    ) -> None:
        self._store, self._translated, self._alone = store, translated, alone
        self._broken, self._mending = False, Lock()
        self._turns = Turns(THREADS, READS_AT_ONCE - THREADS, "too many requests are waiting")
        self._reads, self._closed, self._none_left = 0, False, asyncio.Event()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="warehouse-reader")

    async def read(self, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """Run ``function(session, *arguments)`` on one snapshot, with all acknowledged hits.

        Raises:
            StoreBusy: too many reads are pending, or this one needs too much memory.
            StoreClosed: the threads are being stopped.
            StoreFailed: the database failed.
            Exception: raised by the function.
        """
        if self._closed:
            msg = "the server is stopping"
            raise StoreClosed(msg)
        self._reads += 1
        try:
            turn = await self._turns.take()
            try:
                return await self._on_a_thread(function, arguments)
            finally:
                turn.end()
        finally:
            self._reads -= 1
            if self._closed and not self._reads:
                self._none_left.set()

    async def _on_a_thread(self, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        running = _Running()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, self._read, running, function, arguments)
        except asyncio.CancelledError:
            # The client has disconnected, or the read took too long: other reads need its thread.
            _interrupt_until_ended(loop, running)
            raise

    def _read(self, running: "_Running", function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        self._mend()
        try:
            with (
                self._store.session() as session,
                running.on(session.connection),
                transaction(session.connection, "BEGIN TRANSACTION READ ONLY"),
            ):
                return function(session, *arguments)
        except StopIteration as error:
            raise raisable(error) from error  # a future cannot hold it: the caller would wait for ever
        except duckdb.Error as error:
            self._broken = self._broken or (self._alone and is_broken(error))
            if running.cancelled:
                raise self._translated(error) from error
            log.error("a read of the warehouse failed", reason=str(error))  # noqa: TRY400  # the reason is enough
            raise self._translated(error) from error

    def _mend(self) -> None:
        """Open the instance again if it has failed."""
        with self._mending:
            if self._broken:
                try:
                    self._store.reopen()
                except StoreFailed as error:
                    if isinstance(error.__cause__, duckdb.Error):
                        raise self._translated(error.__cause__) from error
                    raise
                self._broken = False

    async def close(self) -> None:
        """Finish running and pending reads."""
        self._closed = True
        if self._reads:
            await self._none_left.wait()
        await asyncio.to_thread(self._pool.shutdown)


class _Running:
    """A read on its thread, which can be cancelled from the event loop.

    Attributes:
        cancelled: whether its result is no longer needed.
    """

    def __init__(self) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._lock = Lock()
        self.cancelled = self.ended = False

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
        """Interrupt the running statement."""
        with self._lock:
            self.cancelled = True
            if self._connection is not None:
                self._connection.interrupt()


def _interrupt_until_ended(loop: asyncio.AbstractEventLoop, running: _Running, times: int = 50) -> None:
    """Interrupt repeatedly: a read may be between two statements, and begin the next one."""
    running.interrupt()
    if not running.ended and times:
        loop.call_later(INTERRUPTED_AGAIN_AFTER_S, _interrupt_until_ended, loop, running, times - 1)
