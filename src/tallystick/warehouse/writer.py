"""The one who writes: a thread that owns one connection, the ids and the living sessions.

While a commit runs, the next batch gathers by itself. All appends of a batch are one transaction; every
other write has a transaction of its own.

Promises:
- A future gets a result only after the commit that holds its hits: acknowledged means kept.
- A failed transaction changes nothing: rows, ids and sessions are as before it.
- Ids rise in the order of commits. Whoever has read up to an id has missed none below it.
"""

from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import duckdb
import structlog
from msgspec import Struct

from tallystick.errors import StoreFailed, StoreUnavailable
from tallystick.gathering import GatheringThread
from tallystick.model.hit import Hit
from tallystick.warehouse import rows
from tallystick.warehouse.checkpoints import Checkpoints
from tallystick.warehouse.rebuilding import highest_id, rebuild
from tallystick.warehouse.rows import KeptRequest, Stored
from tallystick.warehouse.sessions import Sessions
from tallystick.warehouse.store import Store, WarehouseSession, is_broken, transaction, understood

QUEUE_LIMIT = 20_000
BATCH_LIMIT = 1_000
HITS_AT_ONCE = 10_000
"""Hits in one transaction, unless a single append brings more."""

REFUSED_ROWS = (duckdb.DataError, duckdb.IntegrityError, duckdb.ProgrammingError)
"""What DuckDB raises when it is the statement's or the row's own fault."""

Result = TypeVar("Result")

log = structlog.get_logger()


class Append(Struct, eq=False):
    """Hits, and the request they came with, waiting for their batch."""

    hits: Sequence[Hit]
    request: KeptRequest | None
    future: "Future[list[Stored]]"
    submitted: float


class Call(Struct, eq=False):
    """Any other write, waiting for its turn: ``function(session, *arguments)``."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    future: "Future[Any]"


class Writer:
    """One writing thread.

    Args:
        store: opened, its schema up to date.
        loop: where the futures live.
        clock: Unix seconds.
    """

    def __init__(self, store: Store, loop: AbstractEventLoop, clock: Callable[[], int]) -> None:
        self._store, self._loop, self._clock = store, loop, clock
        self._last_id = 0
        self._sessions = Sessions()
        self._session: WarehouseSession | None = None
        self._broken = False
        """Whether the instance has failed; the next transaction opens it again."""
        self._outdated = True
        """Whether the rows know better than the memory."""
        self._checkpoints = Checkpoints(store)
        self.failures = 0
        self.last_failed = False
        self._usable_session()
        self.thread: GatheringThread[Append | Call] = GatheringThread(
            "warehouse-writer",
            work=self._work,
            give_up=self._give_up,
            stop=self._stop,
            queue_limit=QUEUE_LIMIT,
            batch_limit=BATCH_LIMIT,
        )

    @property
    def sessions(self) -> int:
        """How many sessions live in memory."""
        return len(self._sessions)

    def _work(self, batch: list[Append | Call]) -> None:
        for part in _transactions([item for item in batch if type(item) is Append]):
            self._finish(part, self._append(part))
        for item in batch:
            if type(item) is Call:
                self._finish([item], [self._attempt(partial(self._call, item))])
        if self._checkpoints.due and not self._checkpoints.take():
            self._broken = True

    def _give_up(self, batch: list[Append | Call], error: Exception) -> None:
        self._finish(batch, [StoreFailed(f"the warehouse's writer failed: {error}")] * len(batch))

    def _append(self, part: Sequence[Append]) -> Sequence[object]:
        """Store in one transaction; a result for each."""
        outcome = self._attempt(lambda session: self._insert(session, part))
        if not isinstance(outcome, Exception):
            self._sessions.keep()
            self._last_id += sum(map(len, outcome))
            return outcome
        self._sessions.undo()
        if len(part) == 1 or isinstance(outcome, StoreUnavailable):
            return [outcome] * len(part)
        # One of them cannot be stored: alone it refuses only itself.
        return [result for item in part for result in self._append([item])]

    def _insert(self, session: WarehouseSession, part: Sequence[Append]) -> Sequence[list[Stored]]:
        hits = [hit for item in part for hit in item.hits]
        ids = range(self._last_id + 1, self._last_id + len(hits) + 1)
        stored = [Stored(id_, *self._sessions.place(hit)) for id_, hit in zip(ids, hits, strict=True)]
        rows.insert_hits(session.connection, hits, stored)
        rows.insert_renamed(session.connection, self._sessions.renamed)
        rows.insert_requests(session.connection, [item.request for item in part if item.request])
        found = iter(stored)
        return [[next(found) for _ in item.hits] for item in part]

    def _call(self, call: Call, session: WarehouseSession) -> object:
        # Rows with the highest ids may be deleted now; none of them may be given again.
        session.connection.execute("UPDATE mark SET last_id = ?", [self._last_id])
        result = call.function(session, *call.arguments)
        self._outdated = self._outdated or session.sessions_outdated
        session.sessions_outdated = False
        return result

    def _attempt(self, work: Callable[[WarehouseSession], Result]) -> Result | Exception:
        """One transaction: its result, or its error."""
        try:
            session = self._usable_session()
            with transaction(session.connection):
                result = work(session)
        except Exception as error:  # noqa: BLE001  # the writer lives on whatever happens
            return self._failed(error)
        if self.last_failed:
            self.last_failed = False
            log.info("the warehouse's commits succeed again")
        return result

    def _failed(self, error: Exception) -> Exception:
        """The error as whoever waits is told."""
        if is_broken(error):
            # Nobody knows what of the transaction is kept: the rows will tell.
            self._broken = self._outdated = True
        if isinstance(error, duckdb.Error) and not isinstance(error, REFUSED_ROWS):
            error = understood(error)
        if isinstance(error, StoreUnavailable):
            if not self.last_failed:
                log.error("a commit of the warehouse failed", reason=str(error))
            self.failures += 1
            self.last_failed = True
        return error

    def _usable_session(self) -> WarehouseSession:
        """A connection that works, with a memory that agrees with its rows."""
        if self._broken:
            self._let_go()
            self._store.reopen()
            self._broken = False
        if self._session is None:
            self._session = self._store.borrow()
            rows.prepare(self._session.connection)
        if self._outdated:
            self._last_id = highest_id(self._session)
            self._sessions.rebuild(*rebuild(self._session, self._clock()))
            self._outdated = False
        return self._session

    def _let_go(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            self._store.give_back(session)

    def _stop(self) -> None:
        self._let_go()
        if not self._broken:
            self._checkpoints.take()
        self._store.close()

    def _finish(self, items: Sequence[Append | Call], results: Sequence[object]) -> None:
        try:
            self._loop.call_soon_threadsafe(_resolve, items, results)
        except RuntimeError:
            # The loop is closed: the server was told to stop at once, and nobody is waiting any more.
            return


def _transactions(appends: Sequence[Append]) -> Iterator[list[Append]]:
    """Parts of a batch that are one transaction each."""
    part: list[Append] = []
    size = 0
    for item in appends:
        if part and size + len(item.hits) > HITS_AT_ONCE:
            yield part
            part, size = [], 0
        part.append(item)
        size += len(item.hits)
    if part:
        yield part


def _resolve(items: Sequence[Append | Call], results: Sequence[object]) -> None:
    """On the event loop: answer a whole transaction's requests in one hop."""
    for item, result in zip(items, results, strict=True):
        future: Future[Any] = item.future
        if future.done():
            continue  # the client hung up
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
