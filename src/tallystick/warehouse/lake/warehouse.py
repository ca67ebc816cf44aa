"""The warehouse of many nodes for the event loop: hits are acknowledged in PostgreSQL, and read from the lake."""

import asyncio
import secrets
import socket
import time
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import structlog

from tallystick.errors import DatabaseAway, DatabaseUnreachable, StoreAway, StoreBusy, StoreFailed
from tallystick.gathering import Resolvable, resolve_futures
from tallystick.model.hit import Hit
from tallystick.turns import WaitingPlaces
from tallystick.warehouse.duckdb.appending import Append
from tallystick.warehouse.duckdb.migrations import all_steps
from tallystick.warehouse.duckdb.mover import DeferredCall
from tallystick.warehouse.duckdb.reader import WarehouseReaders
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.warehouse import WAITING_HITS
from tallystick.warehouse.lake import lease
from tallystick.warehouse.lake.bucket import LakeBucket
from tallystick.warehouse.lake.connecting import Connect, LakeConnection, connected
from tallystick.warehouse.lake.journal import LakeJournal
from tallystick.warehouse.lake.migrations import migrate
from tallystick.warehouse.lake.mover import TRIES, LakeMover
from tallystick.warehouse.lake.reach import Reach
from tallystick.warehouse.lake.restoring import refuse_unfinished_restore
from tallystick.warehouse.lake.store import S3, LakeOutdated, LakeStore, lake_error
from tallystick.warehouse.types import ChoreCounts, IdempotencyRecord, Loss, NewestIds, Stored, WarehouseMarks
from tallystick.warehouse.warehouse import seconds

CREATED_WITHIN_S = 30.0
"""How long a start waits until the lake is there: the first mover creates it."""
HANDED_OVER_WITHIN_S = 60.0
"""How long a start waits until an older server, which may be in the middle of a long change, hands the lake over."""
LOOKS_EVERY_S = 0.1
LATE_AFTER_S = 4.0
WAITING_READS = 500
"""Reads that wait at once until the lake has what was acknowledged: as many as then wait for a thread."""
NODE_BYTES = 2
"""Of a random number in a node's name: two servers of one machine differ."""

NO_MARKS = WarehouseMarks("", 0, 0, 0, NewestIds())
"""Hits and ledger are in one database, so that neither can lose what the other has noted."""

log = structlog.get_logger()

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


class LakePlace:
    """Where a node finds the lake.

    Args:
        catalogue: URL of the PostgreSQL database.
        files: a directory that all nodes have, or ``s3://BUCKET/PREFIX``.
        work: a directory of this process, for what DuckDB spills.
        exports: the folder of exports.
        memory_mb: memory of DuckDB.
    """

    def __init__(self, catalogue: str, files: str, work: Path, exports: Path, memory_mb: int) -> None:
        self.catalogue, self.files, self.work, self.exports = catalogue, files, work, exports
        self._writes_mb = memory_mb // 3
        self._reads_mb = memory_mb - self._writes_mb
        self._bucket = LakeBucket(files, "looks", quick=True) if files.startswith(S3) else None

    def reading(self) -> LakeStore:
        """The lake for reading, not opened yet."""
        return self._store(self._reads_mb, self.work / "reads", None)

    def opened_for_writing(self, epoch: int) -> LakeStore:
        """The lake for the mover.

        Raises:
            StartRefused: it cannot be opened.
        """
        store = self._store(self._writes_mb, self.work / "writes", epoch)
        store.open()
        return store

    def reached(self) -> bool:
        """Whether this server reaches the storage of the files now; of a directory, nobody can say."""
        return self._bucket is None or self._bucket.answers()

    def _store(self, memory_mb: int, work: Path, epoch: int | None) -> LakeStore:
        return LakeStore(self.catalogue, self.files, memory_mb, work=work, exports=self.exports, epoch=epoch)


class LakeWarehouse:
    """A ``Warehouse``; see its methods there. ``LakeWarehouse.open`` opens one.

    Attributes:
        node: names this node in the database.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # created by open
        self,
        store: LakeStore,
        mover: LakeMover,
        connect: Connect,
        node: str,
        loop: AbstractEventLoop,
        clock: Callable[[], int],
    ) -> None:
        self.clock, self.node = clock, node
        self.losses: Sequence[Loss] = ()
        self.owned_until = float("inf")
        self.shared = True
        self.exports = store.exports
        self._store, self._mover, self._loop = store, mover, loop
        self._journal = LakeJournal(connect, node, loop)
        self._readers = WarehouseReaders(store, lake_error, alone=True)
        self._reach, self._records = Reach(connect), Reach(connect)
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="lake-reach")
        self._finding = ThreadPoolExecutor(1, thread_name_prefix="lake-records")
        self._waiting_reads = WaitingPlaces(WAITING_READS, "too many requests are waiting")
        self._looking: Task[None] | None = None
        self._next_look: Task[None] | None = None
        self._look_began, self._late_until = 0.0, float("-inf")
        """When the newest look began, and when one that took long ended."""

    @classmethod
    async def open(cls, connect: Connect, place: LakePlace, clock: Callable[[], int] = seconds, node: str = "") -> Self:
        """Open the lake; the first node creates it.

        Args:
            connect: opens connections to the PostgreSQL database.
            clock: Unix seconds.
            node: names this node in the database; by default the machine's name, with a random number.

        Raises:
            DatabaseUnreachable: it cannot be opened.
            DatabaseUnsuitable: DuckDB lacks an extension.
            DatabaseSchemaRefused: it was written by a newer program.
            StoresDisagree: a restore was interrupted.
        """
        loop = asyncio.get_running_loop()
        node = node or f"{socket.gethostname()}-{secrets.token_hex(NODE_BYTES)}"
        await asyncio.to_thread(migrate, connect)
        await asyncio.to_thread(refuse_unfinished_restore, connect)
        mover = LakeMover(connect, place.opened_for_writing, place.reached, node, clock)
        opening = asyncio.ensure_future(asyncio.to_thread(_opened_for_reading, place, mover, connect))
        try:
            return cls(await asyncio.shield(opening), mover, connect, node, loop, clock)
        except BaseException:
            await mover.close()
            raise

    @property
    def owned(self) -> bool:
        """Every node stores and reads hits."""
        return time.monotonic() < self.owned_until

    @property
    def carries_out_jobs(self) -> bool:
        """Whether this node is the one that changes stored hits."""
        return self._mover.moves

    def require_owned(self) -> None:
        """Do nothing: every node stores and reads hits."""

    async def append(self, hits: Sequence[Hit], request: IdempotencyRecord | None = None) -> list[Stored]:
        """Store hits and the idempotency record of their request; durable when it returns.

        Raises:
            StoreUnavailable: nothing was stored, or that is unknown.
            KeyInFlight: another node has stored a request with the record's key.
        """
        future: Future[list[Stored]] = self._loop.create_future()
        self.append_into(future, hits, request)
        return await future

    def append_into(self, future: Resolvable, hits: Sequence[Hit], request: IdempotencyRecord | None = None) -> None:
        """Like ``append``, for a caller that brings what waits for the result.

        Raises:
            StoreBusy, StoreClosed: at once; then nothing is resolved.
        """
        if self._journal.waiting >= WAITING_HITS:
            msg = "too many hits are waiting"
            raise StoreBusy(msg)
        self._journal.submit(Append(hits, request, future))

    async def read(
        self,
        function: Callable[Concatenate[DuckDbSession, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Run ``function(session, *arguments)`` on a reader thread, on one snapshot with all acknowledged hits."""
        await self.complete()
        read = _with_names(function, named)
        try:
            return await self._readers.read(read, *arguments)
        except (StoreAway, StoreFailed):
            # DuckDB's connection to PostgreSQL was lost since it was last used, and the next transaction has another.
            # Or the instance has failed, and the next read opens it again.
            return await self._readers.read(read, *arguments)

    async def complete(self) -> None:
        """Wait until the lake has what was acknowledged before; calls during a look share the one after it.

        Raises:
            StoreBusy: that takes too long, or too many wait for it.
            StoreUnavailable: PostgreSQL cannot be asked.
        """
        # A look that nobody waits for any more goes on: others may.
        await self._waiting_reads.until(self._look_for_all())

    def _look_for_all(self) -> Task[None]:
        """The look that begins next."""
        if self._next_look is None:
            self._next_look = self._loop.create_task(self._look(self._looking))
            # Its error is known, also where every read that waited for it was given up.
            self._next_look.add_done_callback(lambda look: look.cancelled() or look.exception())
        return self._next_look

    def was_incomplete(self, since: float) -> bool:
        """Whether reads have waited for the mover for longer than a move takes, and not only before a moment."""
        waits = self._looking is not None and not self._looking.done()
        return self._late_until >= since or (waits and time.monotonic() - self._look_began > LATE_AFTER_S)

    async def _look(self, before: Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._looking, self._next_look, self._look_began = self._next_look, None, time.monotonic()
        try:
            await self._loop.run_in_executor(self._asking, self._reach.wait)
        finally:
            if (now := time.monotonic()) - self._look_began > LATE_AFTER_S:
                self._late_until = now

    async def write(
        self,
        function: Callable[Concatenate[DuckDbSession, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Run ``function(session, *arguments)`` in its own transaction; durable when it returns.

        This node becomes the mover first. An exception of the function undoes the transaction and is raised here.
        """
        return await self._call(_with_names(function, named), arguments, asks=True)

    async def carry_out(
        self,
        function: Callable[Concatenate[DuckDbSession, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Like ``write``, for a job, but only where this node is the mover already.

        Raises:
            StoreBusy: it is not: the mover carries out the job.
        """
        return await self._call(_with_names(function, named), arguments, asks=False)

    async def _call(self, function: Callable[..., Result], arguments: tuple[Any, ...], *, asks: bool) -> Result:
        future: Future[Result] = self._loop.create_future()

        def finish(result: object) -> None:
            resolve_futures(self._loop, [future], [result])

        self._mover.thread.submit(DeferredCall(function, arguments, finish, asks))
        return await future

    async def idempotency_record(self, key: str) -> IdempotencyRecord | None:
        """The idempotency record of a key; None without one."""
        return await self._loop.run_in_executor(self._finding, self._records.record, key)

    async def flush(self) -> None:
        """Return when commits succeed and the lake has all acknowledged hits.

        Raises:
            StoreUnavailable: commits fail.
        """
        await self.append([])
        await asyncio.shield(self._look_for_all())

    async def arrived(self) -> None:
        """Return when all hits appended before are durably stored or refused.

        Raises:
            StoreUnavailable: commits fail.
        """
        await self.append([])

    @property
    def marks(self) -> WarehouseMarks:
        """Nothing that a ledger would have to note."""
        return NO_MARKS

    @property
    def waiting(self) -> int:
        """Number of hits that are not committed yet."""
        return self._journal.waiting

    @property
    def unmoved(self) -> int:
        """Number of acknowledged hits of all nodes that are not in the lake, a few seconds ago."""
        return self._mover.keeper.unmoved

    @property
    def sessions(self) -> int:
        """Number of visitor sessions in memory; 0 on a node that is not the mover."""
        return self._mover.sessions

    @property
    def failures(self) -> int:
        """Number of failed transactions."""
        return self._journal.failures + self._mover.failures

    @property
    def failing(self) -> bool:
        """Whether the newest transaction failed."""
        return self._journal.last_failed or self._mover.last_failed

    @property
    def mover(self) -> str:
        """The node that brings hits into the lake, a few seconds ago; empty while there is none."""
        return self.node if self._mover.moves else self._mover.keeper.holder

    @property
    def chores(self) -> ChoreCounts:
        """What this node has done to keep the lake small."""
        return self._mover.chores.counts

    async def close(self) -> None:
        """Finish accepted hits and calls, and close; another node becomes the mover."""
        self._reach.stop()
        await self._readers.close()
        await self._journal.thread.close()
        await self._mover.close()
        await asyncio.to_thread(self._close_connections)

    def _close_connections(self) -> None:
        self._asking.shutdown()
        self._finding.shutdown()
        self._reach.close()
        self._records.close()
        self._store.close()


def _opened_for_reading(place: LakePlace, mover: LakeMover, connect: Connect) -> LakeStore:
    """Open the lake, once a mover has created it, or brought its schema up to date."""
    until = time.monotonic() + CREATED_WITHIN_S
    while True:
        store = place.reading()
        try:
            store.open()
        except DatabaseAway:
            raise
        except LakeOutdated:
            try:
                with connected(connect) as opened:
                    _await_migration(mover, opened)
            finally:
                mover.keeper.ask_no_more()
        except DatabaseUnreachable:
            if mover.refusal is not None:
                raise mover.refusal from None
            if time.monotonic() > until:
                raise
            time.sleep(LOOKS_EVERY_S)
        else:
            return store


def _await_migration(mover: LakeMover, opened: LakeConnection) -> None:
    """Return when a node of this version has brought the lake's schema up to date: this one, unless another is first.

    Raises:
        LakeOutdated: an older node does not hand the lake over, or the migration fails.
    """
    log.info("the lake has an older schema: the server that writes to it is asked to hand it over")
    until = time.monotonic() + HANDED_OVER_WITHIN_S
    while (state := lease.state(opened)).schema < len(all_steps()):
        if mover.refusal is not None:
            raise mover.refusal from None
        if mover.failures >= TRIES:
            msg = "the lake has an older schema, and bringing it up to date failed; the error is in the log"
            raise LakeOutdated(msg)
        # A migration of many hits takes as long as it takes.
        if mover.keeper.epoch is None:
            if time.monotonic() > until:
                raise _not_handed_over(state.holder)
            mover.keeper.ask()
        time.sleep(LOOKS_EVERY_S)


def _not_handed_over(holder: str) -> LakeOutdated:
    msg = (
        f"the lake has an older schema, and {holder or 'its server'}, which is of an older version, has not handed it"
        f" over within {HANDED_OVER_WITHIN_S:g} seconds: stop that server, or try again when its import or other long"
        " change has ended"
    )
    return LakeOutdated(msg)


def _with_names(function: Callable[..., Result], named: Mapping[str, Any]) -> Callable[..., Result]:
    return partial(function, **named) if named else function
