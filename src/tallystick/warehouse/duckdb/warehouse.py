"""The warehouse for the event loop: the journal and DuckDB, each on a thread of its own."""

import asyncio
import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar

from tallystick.errors import AnalyticsElsewhere, DatabaseUnreachable, StartRefused, StoreBusy
from tallystick.gathering import Resolvable, resolve_futures
from tallystick.model.hit import Hit
from tallystick.warehouse.duckdb.appending import Append
from tallystick.warehouse.duckdb.journal import JOURNAL_FILE, Journal
from tallystick.warehouse.duckdb.mover import DeferredCall, Mover
from tallystick.warehouse.duckdb.opening import settle
from tallystick.warehouse.duckdb.reader import WarehouseReaders
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import EXPORTS_DIRECTORY, Store
from tallystick.warehouse.duckdb.writer import WarehouseWriter
from tallystick.warehouse.types import IdempotencyRecord, LedgerMarks, Loss, NumberedHit, WarehouseMarks
from tallystick.warehouse.warehouse import seconds

WAITING_HITS = 200_000
"""The most hits that may be pending."""

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


class DuckDbWarehouse:
    """A ``Warehouse``; see its methods there. ``DuckDbWarehouse.open`` opens one.

    Attributes:
        exports: the only folder, besides its own files, that DuckDB may write to.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # created by open
        self,
        store: Store,
        mover: Mover,
        writer: WarehouseWriter,
        losses: Sequence[Loss],
        loop: AbstractEventLoop,
        clock: Callable[[], int],
    ) -> None:
        self.clock = clock
        self.losses = losses
        self._store, self._mover, self._writer, self._loop = store, mover, writer, loop
        self._readers = WarehouseReaders(store)
        self.exports = store.file.with_name(EXPORTS_DIRECTORY)
        self.owned_until = float("inf")
        self.shared = False

    @classmethod
    async def open(  # noqa: PLR0913  # independent options
        cls,
        file: Path,
        durability: Literal["full", "relaxed"] = "full",
        memory_mb: int = 512,
        clock: Callable[[], int] = seconds,
        *,
        ledger: LedgerMarks | None = None,
        commits: Callable[[], int] = int,
        accept_loss: bool = False,
    ) -> Self:
        """Open or create the database file and the journal, compare the stores and start the threads.

        Args:
            file: its directory must exist.
            durability: ``relaxed`` acknowledges hits before the journal is synced.
            memory_mb: memory of DuckDB, in MB.
            clock: Unix seconds.
            ledger: marks of the ledger to compare with; None for no comparison.
            commits: returns the ledger's number of commits; called on a thread.
            accept_loss: start although something is missing; see ``opening.settle``.

        Raises:
            DatabaseUnreachable: a file cannot be opened, or is damaged.
            DatabaseSchemaRefused: a file was written by a newer program.
            StoresDisagree: something is missing.
        """
        loop = asyncio.get_running_loop()

        def prepare() -> tuple[Store, Mover, WarehouseWriter, list[Loss]]:
            with ExitStack() as opened:
                journal = Journal(file.with_name(JOURNAL_FILE), durability)
                opened.callback(journal.close)
                store = Store(file, memory_mb)
                opened.callback(store.close)
                store.open()
                relaxed = durability == "relaxed"
                losses = settle(journal, store, ledger, relaxed=relaxed, accept_loss=accept_loss)
                mover = Mover(store)
                opened.callback(mover.thread.end)
                writer = WarehouseWriter(journal, mover, store, loop, clock, commits)
                opened.pop_all()
                return store, mover, writer, losses

        def prepared() -> tuple[Store, Mover, WarehouseWriter, list[Loss]]:
            try:
                return prepare()
            except StartRefused:
                raise
            except Exception as error:
                # A damaged file may raise any kind of error.
                msg = f"cannot open the warehouse {file}: {' '.join(str(error).split())}"
                raise DatabaseUnreachable(msg) from error

        preparing = asyncio.ensure_future(asyncio.to_thread(prepared))
        try:
            return cls(*await asyncio.shield(preparing), loop, clock)
        except asyncio.CancelledError:
            # The thread continues, and what it opens has to be closed.
            with suppress(StartRefused):
                await cls(*await preparing, loop, clock).close()
            raise

    @property
    def owned(self) -> bool:
        """Whether this server owns the analytics: only it stores and reads hits."""
        return time.monotonic() < self.owned_until

    @property
    def carries_out_jobs(self) -> bool:
        """Whether this server carries out jobs: the owner does."""
        return self.owned

    def require_owned(self) -> None:
        """Refuse a request on a server that does not own the analytics.

        Raises:
            AnalyticsElsewhere
        """
        if not self.owned:
            raise AnalyticsElsewhere

    async def append(self, hits: Sequence[Hit], request: IdempotencyRecord | None = None) -> list[NumberedHit]:
        """Store hits and the idempotency record of their request; durable when it returns.

        Raises:
            StoreUnavailable: nothing was stored, or that is unknown.
        """
        future: Future[list[NumberedHit]] = self._loop.create_future()
        self.append_into(future, hits, request)
        return await future

    def append_into(self, future: Resolvable, hits: Sequence[Hit], request: IdempotencyRecord | None = None) -> None:
        """Like ``append``, for a caller that brings what waits for the result.

        Raises:
            AnalyticsElsewhere, StoreBusy, StoreClosed: at once; then nothing is resolved.
        """
        self.require_owned()
        if self._writer.waiting >= WAITING_HITS:
            msg = "too many hits are waiting"
            raise StoreBusy(msg)
        self._writer.submit(Append(hits, request, future))

    async def read(
        self,
        function: Callable[Concatenate[DuckDbSession, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Run ``function(session, *arguments)`` on a reader thread, on one snapshot with all acknowledged hits."""
        self.require_owned()
        if self._mover.moved < self._writer.last_id:
            await self._call(None)
        return await self._readers.read(_with_names(function, named), *arguments)

    async def complete(self) -> None:
        """Do nothing: no other server stores hits."""

    def was_incomplete(self, since: float) -> bool:  # noqa: ARG002  # of the protocol
        """No other server stores hits."""
        return False

    async def write(
        self,
        function: Callable[Concatenate[DuckDbSession, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Run ``function(session, *arguments)`` in its own transaction; durable when it returns.

        An exception of the function undoes the transaction and is raised here.
        """
        result: Result = await self._call(_with_names(function, named), *arguments)
        # Noted in the journal before the caller relies on it: otherwise a start could not detect that DuckDB lost it.
        await self.arrived()
        return result

    async def carry_out(
        self,
        function: Callable[Concatenate[DuckDbSession, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Like ``write``: no other server can carry out the job."""
        return await self.write(function, *arguments, **named)

    async def _call(self, function: Callable[..., Any] | None, *arguments: Any) -> Any:  # noqa: ANN401
        future: Future[Any] = self._loop.create_future()

        def finish(result: object) -> None:
            resolve_futures(self._loop, [future], [result])

        self._mover.thread.submit(DeferredCall(function, arguments, finish))
        return await future

    async def idempotency_record(self, key: str) -> IdempotencyRecord | None:
        """The idempotency record of a key; None without one."""
        return await self.read(DuckDbSession.idempotency_record, key)

    async def flush(self) -> None:
        """Return when commits succeed and all acknowledged hits are in columns.

        Raises:
            StoreUnavailable: commits fail.
        """
        await self.append([])
        await self._call(None)

    async def arrived(self) -> None:
        """Return when all hits appended before are durably stored or refused.

        Raises:
            StoreUnavailable: commits fail.
        """
        # Appends are handled in their order.
        future: Future[list[NumberedHit]] = self._loop.create_future()
        self._writer.submit(Append((), None, future))
        await future

    @property
    def marks(self) -> WarehouseMarks:
        """The newest hit and changes, and the newest known commit of the ledger; durable."""
        marks = self._writer.marks
        return WarehouseMarks(marks.warehouse, marks.last_id, marks.changes, marks.commits, marks.newest)

    @property
    def waiting(self) -> int:
        """Number of hits that are not committed yet."""
        return self._writer.waiting

    @property
    def unmoved(self) -> int:
        """Number of acknowledged hits that are not in columns yet."""
        return self._mover.waiting

    @property
    def sessions(self) -> int:
        """Number of visitor sessions in memory."""
        return self._writer.sessions

    @property
    def failures(self) -> int:
        """Number of failed transactions."""
        return self._writer.failures + self._mover.failures

    @property
    def failing(self) -> bool:
        """Whether the newest transaction of either thread failed."""
        return self._writer.last_failed or self._mover.last_failed

    @property
    def mover(self) -> None:
        """Each server has its own."""
        return

    @property
    def node(self) -> None:
        """It is not shared."""
        return

    @property
    def chores(self) -> None:
        """An embedded warehouse needs none but checkpoints."""
        return

    async def close(self) -> None:
        """Finish accepted hits and calls, and close; the WAL is folded into the database file."""
        await self._readers.close()
        await self._writer.thread.close()
        await self._mover.thread.close()
        await asyncio.to_thread(self._writer.close_journal)


def _with_names(function: Callable[..., Result], named: Mapping[str, Any]) -> Callable[..., Result]:
    return partial(function, **named) if named else function
