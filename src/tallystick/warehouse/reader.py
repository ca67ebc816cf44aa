"""Reads: a few threads, a connection and a snapshot for each read."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import duckdb
import structlog

from tallystick.errors import StoreBusy, StoreClosed
from tallystick.warehouse.store import Store, transaction, understood

THREADS = 2
READS_AT_ONCE = 500

Result = TypeVar("Result")

log = structlog.get_logger()


class Readers:
    """Threads that read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked, self._closed = 0, False
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="warehouse-reader")

    async def read(self, function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401
        """``function(session, *arguments)`` on one snapshot, which shows everything acknowledged.

        Raises:
            StoreBusy: too many reads wait, or this one needs more memory than there is.
            StoreClosed: the threads are being stopped.
            StoreFailed: the database failed.
        """
        if self._closed:
            msg = "the server is stopping"
            raise StoreClosed(msg)
        if self._asked >= READS_AT_ONCE:
            msg = "too many requests are waiting"
            raise StoreBusy(msg)
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, function, arguments)
        finally:
            self._asked -= 1

    def _read(self, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        try:
            with self._store.session() as session, transaction(session.connection, "BEGIN TRANSACTION READ ONLY"):
                return function(session, *arguments)
        except duckdb.Error as error:
            log.error("a read of the warehouse failed", reason=str(error))  # noqa: TRY400  # the reason says it all
            raise understood(error) from error

    async def close(self) -> None:
        """Finish what was asked."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
