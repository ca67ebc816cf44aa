"""The thread that moves acknowledged hits from the journal into DuckDB, and makes every other change there.

Hits are gathered before they are moved, because a statement takes milliseconds for one row as for a thousand. Before a
read, all pending hits are moved, so that it includes all acknowledged ones.

Promises:
- Batches are moved whole and in order, each once: the newest id in DuckDB shows which ones it has.
- A batch that cannot be moved stays in memory and in the journal, and is retried.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

import duckdb
import structlog
from msgspec import Struct

from tallystick.errors import StoreFailed, StoreUnavailable
from tallystick.gathering import GatheringThread
from tallystick.warehouse.duckdb import regular, rows, visits
from tallystick.warehouse.duckdb.checkpoints import Checkpoints
from tallystick.warehouse.duckdb.instance import is_broken
from tallystick.warehouse.duckdb.opening import columns_marks
from tallystick.warehouse.duckdb.rebuilding import highest_id
from tallystick.warehouse.duckdb.rows import Content
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import Store, store_error, transaction
from tallystick.warehouse.types import NewestIds

QUEUE_LIMIT = 100_000
BATCH_LIMIT = 1_000
WORTH_MOVING = 20_000
"""Number of pending hits that are moved without further delay."""

HITS_AT_ONCE = 20_000
"""Hits in one transaction, unless a single batch brings more."""

WAITS_S = 2.0
"""The longest delay of fewer hits."""

TRIED_AGAIN_AFTER_S = 1.0

JUDGES_ONE_IN = 100
"""Judging visits takes at most one second in so many."""

REFUSED_STATEMENTS = (duckdb.DataError, duckdb.IntegrityError, duckdb.ProgrammingError)
"""Errors of a statement or a row alone; the storage has not failed."""

Result = TypeVar("Result")

log = structlog.get_logger()


class Move(Struct, eq=False):
    """A batch of the journal.

    Attributes:
        commits: of the ledger, as noted with the batch.
    """

    last_id: int
    hits: int
    content: Content
    commits: int = 0


class DeferredCall(Struct, eq=False):
    """A call made after all pending hits are moved: ``function(session, *arguments)`` in its own transaction.

    Attributes:
        function: None to only move the hits.
        finish: called on the mover's thread with the result, or with the error.
        asks: where hits are shared, whether this server may ask another one to let it make changes.
    """

    function: Callable[..., Any] | None
    arguments: tuple[Any, ...]
    finish: Callable[[object], object]
    asks: bool = True


class Mover:
    """One thread that owns DuckDB's one writing connection.

    Args:
        store: opened, its schema up to date.

    Attributes:
        moved: the newest id that is durable in DuckDB.
        changes: number of durable changes of stored hits.
        sessions_outdated: whether a call has changed the paths of visitor sessions.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._session: DuckDbSession | None = None
        self._moves_prepared = False
        """Whether the session has the statements of moves; planning them takes as long as opening the database."""
        self._broken = False
        """Whether the instance has failed; the next transaction opens it again."""
        self._moves: list[Move] = []
        self._oldest = self._not_before = self._judge_not_before = 0.0
        self._checkpoints = Checkpoints(store)
        self.failures = 0
        self.last_failed = False
        self.sessions_outdated = False
        with store.session() as session:
            marks = columns_marks(session)
        self.moved, self.changes = marks.last_id, marks.changes
        self._taken_hits = self._moved_hits = 0  # each raised by one thread only
        self.thread: GatheringThread[Move | DeferredCall] = GatheringThread(
            "warehouse-mover",
            work=self._work,
            give_up=self._give_up,
            stop=self._stop,
            idle=self._idle,
            idle_after=WAITS_S,
            queue_limit=QUEUE_LIMIT,
            batch_limit=BATCH_LIMIT,
        )

    def take(self, move: Move) -> None:
        """Accept an acknowledged batch. Called in the order of ids, from one thread."""
        self._taken_hits += move.hits
        self.thread.submit(move)

    @property
    def waiting(self) -> int:
        """Number of acknowledged hits that are not in DuckDB yet."""
        return self._taken_hits - self._moved_hits

    def _work(self, batch: list[Move | DeferredCall]) -> None:
        calls = [item for item in batch if type(item) is DeferredCall]
        if moves := [item for item in batch if type(item) is Move]:
            self._oldest = self._oldest if self._moves else time.monotonic()
            self._moves += moves
        works = bool(calls) or self._is_due()
        error = self._move() if works else None
        for call in calls:
            call.finish(error or self._carry_out(call))
        if works and self._checkpoints.due:
            self._judge()
            if not self._checkpoints.take():
                self._broken = True

    def _idle(self) -> None:
        if self._moves and time.monotonic() >= self._not_before:
            self._move()

    def _is_due(self) -> bool:
        now = time.monotonic()
        enough = self.waiting >= WORTH_MOVING or now - self._oldest > WAITS_S
        return enough and now >= self._not_before

    def _move(self) -> Exception | None:
        """Move all pending batches. Returns the error if one could not be moved."""
        while self._moves:
            part = _first_part(self._moves)
            error = self._attempt(partial(self._insert, part), moves=True)
            if error is not None:
                self._not_before = time.monotonic() + TRIED_AGAIN_AFTER_S
                return error
            self.moved = part[-1].last_id
            self._moved_hits += sum(move.hits for move in part)
            del self._moves[: len(part)]
        return None

    @staticmethod
    def _insert(part: Sequence[Move], session: DuckDbSession) -> None:
        # A commit that raised an error may nevertheless have succeeded.
        moved = highest_id(session)
        contents = [move.content for move in part if move.last_id > moved]
        rows.insert(session.connection, contents)
        visits.follow(session.connection, contents)
        set_last_id(session, part[-1].last_id, [move.content for move in part], part[-1].commits)

    def _judge(self) -> None:
        """Judge new and changed visits, at most for a hundredth of the time."""
        began = time.monotonic()
        if began < self._judge_not_before:
            return
        self._attempt(lambda session: regular.judge(session.connection))
        now = time.monotonic()
        self._judge_not_before = now + JUDGES_ONE_IN * (now - began)

    def _carry_out(self, call: DeferredCall) -> object:
        if call.function is None:
            return None
        result = self._attempt(partial(self._call, call), REFUSED_STATEMENTS)
        if not isinstance(result, Exception):
            self.changes += 1
        return result

    def _call(self, call: DeferredCall, session: DuckDbSession) -> object:
        assert call.function is not None
        result = call.function(session, *call.arguments)
        session.queries.count_change(session.connection)
        self.sessions_outdated = self.sessions_outdated or session.sessions_outdated
        session.sessions_outdated = False
        return result

    def _attempt(
        self,
        work: Callable[[DuckDbSession], Result],
        refusals: tuple[type[Exception], ...] = (),
        *,
        moves: bool = False,
    ) -> Result | Exception:
        """Run one transaction. Returns its result, or the error for its caller; never raises.

        Args:
            refusals: errors of DuckDB that are not failures of the storage.
            moves: whether it needs the statements of moves.
        """
        try:
            session = self._usable_session()
            if moves:
                self._prepare_moves(session)
        except (duckdb.Error, StoreUnavailable) as error:
            return self._failed(error)
        try:
            with transaction(session.connection):
                result = work(session)
        except refusals as error:
            return error
        except duckdb.Error as error:
            return self._failed(error)
        except Exception as error:  # noqa: BLE001  # errors of a function are for its caller, even a StoreUnavailable
            return error
        if self.last_failed:
            self.last_failed = False
            log.info("the warehouse's commits succeed again")
        return result

    def _failed(self, error: duckdb.Error | StoreUnavailable) -> StoreUnavailable:
        """Note a failure of the storage. Returns the error for its callers."""
        self._broken = self._broken or is_broken(error)
        failure = store_error(error) if isinstance(error, duckdb.Error) else error
        if not self.last_failed:
            log.error("a commit of the warehouse failed", reason=str(failure))
        self.failures += 1
        self.last_failed = True
        return failure

    def _usable_session(self) -> DuckDbSession:
        if self._broken:
            self._return_session()
            self._store.reopen()
            self._broken = False
        if self._session is None:
            self._session = self._store.borrow()
        return self._session

    def _prepare_moves(self, session: DuckDbSession) -> None:
        if self._moves_prepared:
            return
        try:
            rows.prepare(session.connection)
            visits.prepare(session.connection)
        except BaseException:
            self._return_session()
            raise
        self._moves_prepared = True

    def _return_session(self) -> None:
        if self._session is not None:
            session, self._session, self._moves_prepared = self._session, None, False
            self._store.give_back(session)

    def _give_up(self, batch: list[Move | DeferredCall], error: Exception) -> None:
        for item in batch:
            if type(item) is DeferredCall:
                item.finish(StoreFailed(f"the warehouse failed: {error}"))

    def _stop(self) -> None:
        self._move()
        self._return_session()
        if not self._broken:
            self._checkpoints.take()
        self._store.close()


def set_last_id(session: DuckDbSession, last_id: int, contents: Iterable[Content], commits: int) -> None:
    """Note the newest hit, and the newest ids of the ledger that inserted hits refer to, with their insertion."""
    newest = NewestIds()
    for content in contents:
        newest = newest.and_those_of(rows.newest(content))
    session.queries.set_last_id(
        session.connection,
        last_id=last_id,
        commits=commits,
        site=newest.site,
        path=newest.path,
        campaign=newest.campaign,
    )


def _first_part(moves: Sequence[Move]) -> list[Move]:
    """The next batches that fit in one transaction."""
    size = 0
    for number, move in enumerate(moves):
        size += move.hits
        if number and size > HITS_AT_ONCE:
            return list(moves[:number])
    return list(moves)
