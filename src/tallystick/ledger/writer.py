"""The writer: batches, transactions and their results.

A writer is a thread that owns one writing connection. While a commit runs, the next batch gathers.
Each batch is a few transactions at most: the operations on counters (on PostgreSQL a transaction a
lane), folded over the rows in memory by ``model.counter.apply``; the other writes, each in a savepoint; and
each kind of writes that are carried out together.

Promises:
- A future gets a result only after the commit of its change: acknowledged means durable.
- A failed transaction changes nothing, and every future in it gets the error.
- Only a failure of the storage fails a whole batch, counts as a failure and costs the connection. An error of one
  request, of whatever type, is raised unchanged to that request alone.
- Accepted writes are finished when the writer is closed.
"""

import time
from asyncio import AbstractEventLoop
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from msgspec import Struct

from tallystick.errors import StoreFailed, StoreUnavailable, reason_of
from tallystick.gathering import GatheringThread, Resolvable, raisable, resolve_futures
from tallystick.ledger.database import CreationRaced, Database, Session, Totals, opened
from tallystick.ledger.folding import CounterWrite, fold, settle, transactions
from tallystick.ledger.measurements import LedgerMeasurements
from tallystick.ledger.watched import Watched
from tallystick.model.key import Key

QUEUE_LIMIT = 20_000
BATCH_LIMIT = 1_000
REQUESTS_KEPT_WITHIN_S = 1.0
"""The longest delay until requests that change nothing are stored (CountAPI's ``stats``)."""

JoinedFunction = Callable[[Session, Sequence[Any], int, int], Sequence[object]]
"""Carries out many writes at once; an exception among the results is raised to that write's caller."""

log = structlog.get_logger()


class PendingCount(CounterWrite, eq=False, kw_only=True, gc=False):
    """A pending operation on a counter."""

    future: Resolvable
    submitted: float


class PendingCall(Struct, eq=False):
    """Any other pending write: ``function(session, *arguments)``."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    future: Resolvable


class Joined(Struct, eq=False):
    """A write that is carried out together with others of its function: ``function(session, items, now, passed)``.

    It returns one result for each item; ``now`` is the wall clock, ``passed`` the ledger's (``Ledger.passed``).

    Attributes:
        lane: of the counters it touches, or 0. On a database of lanes, each lane has its own transaction.
    """

    function: JoinedFunction
    item: Any
    lane: int
    future: Resolvable


class LedgerWriter:
    """One writing connection and its thread.

    Args:
        database: opens the connection.
        loop: the event loop of the futures.
        clock: Unix milliseconds; read once a batch.
        passed: see ``Ledger.passed``.
        number: of this writer; also the lane of totals that belong to no lane.
        watched: publishes the changes.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # its collaborators
        self,
        database: Database,
        loop: AbstractEventLoop,
        clock: Callable[[], int],
        passed: Callable[[], int],
        number: int,
        watched: Watched,
    ) -> None:
        self._database, self._loop, self._clock, self._passed, self._lane = database, loop, clock, passed, number
        self._watched = watched
        self._session: Session | None = None
        self._broken = False
        """Whether the connection has failed; the next batch opens another one."""
        self.measurements = LedgerMeasurements()
        self.committed = 0
        """Transactions written; raised by this thread only."""
        self.noted = 0
        """Requests that are in no batch; raised by the event loop only."""
        self._noted_saved = 0
        self._unsaved_requests = 0
        """Requests whose batch changed nothing, or failed."""
        self._saved_at = time.perf_counter()
        self.thread: GatheringThread[PendingCount | PendingCall | Joined] = GatheringThread(
            f"ledger-writer-{number}",
            work=self._work,
            give_up=self._give_up,
            stop=self._stop,
            idle=self._save_requests,
            idle_after=REQUESTS_KEPT_WITHIN_S,
            queue_limit=QUEUE_LIMIT,
            batch_limit=BATCH_LIMIT,
            loop=loop,
        )

    def _work(self, batch: list[PendingCount | PendingCall | Joined]) -> None:
        self.measurements.batch_size.observe(len(batch))
        counts = [item for item in batch if type(item) is PendingCount]
        for part in transactions(counts, lanes_alone=self._database.lanes_alone):
            self._count_together(part)
        if len(counts) < len(batch):
            self._work_others(batch)

    def _work_others(self, batch: list[PendingCount | PendingCall | Joined]) -> None:
        calls = [item for item in batch if type(item) is PendingCall]
        if calls:
            outcome = self._attempt([], calls)
            self._finish(calls, [outcome] * len(calls) if isinstance(outcome, Exception) else outcome)
        groups: dict[tuple[JoinedFunction, int], list[Joined]] = defaultdict(list)
        for item in batch:
            if type(item) is Joined:
                groups[item.function, item.lane if self._database.lanes_alone else 0].append(item)
        for (function, _), joined in groups.items():
            self._work_together(function, joined)

    def _count_together(self, part: Sequence[PendingCount]) -> None:
        """Carry out operations in one transaction. If one of them raises, halves are retried until it is alone."""
        outcome = self._attempt(part, [])
        if not isinstance(outcome, Exception):
            self._finish(part, outcome)
        elif len(part) == 1 or isinstance(outcome, StoreUnavailable):
            self._finish(part, [outcome] * len(part))
        else:
            half = len(part) // 2
            self._count_together(part[:half])
            self._count_together(part[half:])

    def _work_together(self, function: JoinedFunction, joined: list[Joined]) -> None:
        """Carry out joined writes in one transaction. If one of them raises, halves are retried until it is alone."""
        items = [each.item for each in joined]
        call = PendingCall(_together, (function, items, self._clock(), self._passed()), joined[0].future)
        outcome = self._attempt([], [call])
        results = outcome if isinstance(outcome, Exception) else outcome[0]
        if isinstance(results, list):
            self._finish(joined, results)
        elif len(joined) == 1 or isinstance(results, StoreUnavailable):
            self._finish(joined, [results] * len(joined))
        else:
            half = len(joined) // 2
            self._work_together(function, joined[:half])
            self._work_together(function, joined[half:])

    def _give_up(self, batch: list[PendingCount | PendingCall | Joined], error: Exception) -> None:
        self._finish(batch, [StoreFailed(f"the writer failed: {error}")] * len(batch))

    def _attempt(self, counts: Sequence[PendingCount], calls: Sequence[PendingCall]) -> Sequence[object] | Exception:
        """Run one transaction. Returns a result for each item, or the error of the whole transaction."""
        started = time.perf_counter()
        try:
            results, saved = settle(lambda: self._commit(counts, calls))
        except StoreUnavailable as error:
            self._failed(error, counts)
            self._unsaved_requests += len(counts)
            return error
        except Exception as error:  # noqa: BLE001  # of one of the operations; the storage has not failed
            if len(counts) <= 1:
                self._unsaved_requests += len(counts)  # others are retried, and counted then
            return error
        self._succeeded(started, counts, saved=saved)
        return results

    def _commit(self, counts: Sequence[PendingCount], calls: Sequence[PendingCall]) -> tuple[Sequence[object], bool]:
        """Run the transaction. Returns the results, and whether anything was written."""
        session, noted = self._usable_session(), self.noted
        lane = counts[0].lane if counts and self._database.lanes_alone else self._lane
        session.changed.clear()
        session.joined.clear()
        try:
            with session.transaction():
                folded = fold(session, counts, self._clock())
                results = [*folded.outcomes, *(_call(session, call) for call in calls)]
                # A batch that changed nothing needs no sync: its requests are stored with a later one.
                unsaved = self._unsaved_requests + len(counts)
                late = time.perf_counter() - self._saved_at > REQUESTS_KEPT_WITHIN_S
                saves = bool(folded.changed) or not counts or late
                if saves:
                    requests = unsaved + noted - self._noted_saved
                    session.add_totals(lane, Totals(folded.keys_created, folded.keys_updated, requests))
        finally:
            # Also after a failure: a COMMIT whose response was lost may have happened.
            if session.changed:
                self._watched.publish(session.changed)
        self.committed += saves
        self._watched.publish_counters(folded.changed)
        if session.joined:
            self._watched.publish_counters(session.joined)
        self._unsaved_requests = 0 if saves else unsaved
        if saves:
            self._noted_saved = noted
            self._saved_at = time.perf_counter()
        return results, saves

    def _usable_session(self) -> Session:
        if self._session is None or self._broken:
            fresh = opened(self._database, writes=True)
            # Closed only now: without any connection SQLite would recover what a failed sync left in the WAL,
            # readable but perhaps not on the disk, and later commits would build on it.
            self._close_session()
            self._session, self._broken = fresh, False
        return self._session

    def _failed(self, error: StoreUnavailable, counts: Sequence[PendingCount]) -> None:
        if counts and self._database.lanes_alone:
            self.measurements.refused[counts[0].lane] = frozenset(item.key for item in counts)
        first = not self.measurements.last_failed
        self.measurements.failures += 1
        self.measurements.last_failed = True
        # A connection that failed may be in any state.
        self._broken = True
        if first:
            log.error("a commit failed", reason=reason_of(error))

    def _succeeded(self, started: float, counts: Sequence[PendingCount], *, saved: bool) -> None:
        finished = time.perf_counter()
        if counts and (refused := self.measurements.refused):
            self._accepted(counts, refused)
        # A batch of refusals writes nothing, so it does not show that the disk works again.
        if saved:
            self.measurements.last_saved = time.time()
            if self.measurements.last_failed:
                self.measurements.last_failed = False
                log.info("commits succeed again")
        self.measurements.commit.observe(finished - started)
        self.measurements.acknowledgement.observe_since([item.submitted for item in counts], finished)

    @staticmethod
    def _accepted(counts: Sequence[PendingCount], refused: dict[int, frozenset[Key]]) -> None:
        """Remove a lane from ``refused`` once one of the same counters was changed; others prove nothing."""
        lane = counts[0].lane
        if lane in refused and not refused[lane].isdisjoint(item.key for item in counts):
            del refused[lane]

    def _save_requests(self) -> None:
        """When idle: store the requests that no batch has stored."""
        if self._unsaved_requests or self.noted > self._noted_saved:
            self._attempt([], [])

    def _stop(self) -> None:
        self._save_requests()
        self._close_session()

    def _close_session(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            try:
                session.close()
            except Exception as error:  # noqa: BLE001  # it is not used any more
                log.warning("a connection could not be closed", reason=str(error))

    def _finish(self, items: Sequence[PendingCount | PendingCall | Joined], results: Sequence[object]) -> None:
        resolve_futures(self._loop, [item.future for item in items], results)


def _together(session: Session, function: JoinedFunction, items: Sequence[Any], now: int, passed: int) -> list[object]:
    results = list(function(session, items, now, passed))
    assert len(results) == len(items), "every joined write gets a result"
    return results


def _call(session: Session, call: PendingCall) -> object:
    """Run one write in its savepoint. Returns its result, or its own error, which refuses only itself."""
    try:
        with session.savepoint():
            return call.function(session, *call.arguments)
    except (StoreUnavailable, CreationRaced):
        raise
    except BaseException as error:  # noqa: BLE001  # raised to the caller
        return raisable(error)
