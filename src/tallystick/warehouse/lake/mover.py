"""The thread that brings acknowledged hits of all nodes into the lake, and makes every other change there.

Only that of the node with the lease does so; on all others it waits for the lease.

Promises:
- Batches are moved whole and in order, each once: the lake's mark has the number of the newest move.
- Ids rise in the order of moves, and are never given twice.
- Whatever fails, nothing is remembered: the next attempt begins as on a node that has just become the mover.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import duckdb
import psycopg
import structlog

from tallystick.errors import (
    DatabaseAway,
    DatabaseSchemaRefused,
    StartRefused,
    StoreAway,
    StoreBusy,
    StoreClosed,
    StoreFailed,
    StoreUnavailable,
    reason_of,
)
from tallystick.gathering import GatheringThread, raisable
from tallystick.warehouse.duckdb import rows, visits
from tallystick.warehouse.duckdb.instance import is_broken
from tallystick.warehouse.duckdb.mover import REFUSED_STATEMENTS, DeferredCall
from tallystick.warehouse.duckdb.rebuilding import rebuild
from tallystick.warehouse.duckdb.rows import Content
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.sessions import KEYS_KEPT_S, Sessions
from tallystick.warehouse.duckdb.store import transaction
from tallystick.warehouse.lake import moves
from tallystick.warehouse.lake.batches import FORMAT, placed
from tallystick.warehouse.lake.chores import Chores
from tallystick.warehouse.lake.connecting import Connect, LakeConnection
from tallystick.warehouse.lake.keeper import RESTS_S, LeaseKeeper
from tallystick.warehouse.lake.moves import LeaseLost, StoredBatch
from tallystick.warehouse.lake.session import LakeSession, forget_requests
from tallystick.warehouse.lake.store import LakeStore, is_fenced, lake_error
from tallystick.warehouse.types import NewestIds

QUEUE_LIMIT = 10_000
BATCH_LIMIT = 1_000
HITS_AT_ONCE = 20_000
"""Hits in one transaction, unless a single batch brings more."""

WAITS_S = 2.0
"""The longest delay of hits that no read waits for: a move costs a tenth of a second of processor time, however few."""

TRIED_AGAIN_AFTER_S = 1.0
TRIES = 3
"""Failures in a row after which another node may try."""

ONLY_NOW = float("-inf")
"""Until when a call waits that is refused where this node has no lease."""
LEASE_WITHIN_S = 60.0
"""How long a call waits for this node to get the lease: another node may be in the middle of a long change."""

AWAY = "the storage of the lake does not answer: try again later"
BUSY = "another node is changing stored hits: try again later"
OUTDATED = "this server is older than the stored hits: start the version of the other servers in its place"

log = structlog.get_logger()


class Wake:
    """An item that only makes the thread look."""


WAKE = Wake()


class MovingState:
    """What the mover has while it is one.

    Attributes:
        opened: a connection to PostgreSQL.
        last_id: the newest id of a hit.
        sessions: the living visitor sessions.
    """

    def __init__(self, epoch: int, store: LakeStore, opened: LakeConnection) -> None:
        self.epoch, self.store, self.opened = epoch, store, opened
        self.session: DuckDbSession = store.borrow()
        self.last_id = 0
        self.sessions = Sessions()

    def close(self) -> None:
        """Close the lake and the connection."""
        with suppress(duckdb.Error):
            self.store.give_back(self.session)
            self.store.close()
        with suppress(psycopg.Error):
            self.opened.close()


class LakeMover:
    """One thread.

    Args:
        connect: opens a connection to PostgreSQL.
        open_store: opens the lake for writing under an epoch.
        reaches: finds out whether this node reaches the lake's storage; may take some seconds.
        node: names this node.
        clock: Unix seconds.

    Attributes:
        failures: attempts that failed.
        last_failed: whether the newest one did.
        refusal: why this node cannot be the mover at all; None if it can.
    """

    def __init__(
        self,
        connect: Connect,
        open_store: Callable[[int], LakeStore],
        reaches: Callable[[], bool],
        node: str,
        clock: Callable[[], int],
    ) -> None:
        self._connect, self._open_store, self._reaches = connect, open_store, reaches
        self._node, self._clock = node, clock
        self._state: MovingState | None = None
        self._calls: list[tuple[float, DeferredCall]] = []
        """Calls that wait for the lease, with the time until which they do."""
        self._not_before = 0.0
        self._rests = False
        """Whether the lease is left to others until this node is known to reach the storage."""
        self.failures = self._failed_in_a_row = 0
        self.last_failed = False
        self.refusal: StartRefused | None = None
        self.chores = Chores()
        self.keeper = LeaseKeeper(connect, node, self._wake)
        self.thread: GatheringThread[DeferredCall | Wake] = GatheringThread(
            "lake-mover",
            work=self._work,
            give_up=self._give_up,
            stop=self._stop,
            idle=self._turn,
            idle_after=WAITS_S,
            queue_limit=QUEUE_LIMIT,
            batch_limit=BATCH_LIMIT,
        )
        self.keeper.start()

    @property
    def sessions(self) -> int:
        """Number of visitor sessions in memory."""
        state = self._state
        return len(state.sessions) if state else 0

    @property
    def moves(self) -> bool:
        """Whether this node is the mover."""
        return self._state is not None

    async def close(self) -> None:
        """Finish accepted calls that need not wait for the lease, and hand it over."""
        await self.thread.close()

    def _wake(self) -> None:
        with suppress(StoreBusy, StoreClosed):
            self.thread.submit(WAKE)

    def _work(self, batch: list[DeferredCall | Wake]) -> None:
        until = time.monotonic() + LEASE_WITHIN_S
        calls = [item for item in batch if isinstance(item, DeferredCall)]
        self._calls += [(until if call.asks else ONLY_NOW, call) for call in calls]
        self._turn()

    def _turn(self) -> None:
        """Move what waits, and carry out calls, if this node has the lease."""
        if time.monotonic() < self._not_before:
            return
        try:
            if not self._is_mover():
                self._leave_it_to_others()
                return
            self._move_all()
        except Exception as error:  # noqa: BLE001  # no error ends the mover
            self._failed(error)
            return
        self._carry_out_all()
        self._do_chores()
        state = self._state
        if state is not None and self.keeper.wanted and not self._calls:
            log.info("this node hands the lake over to another one")
            self._drop()
            self._hand_over()
        if self.last_failed and state is not None:
            self.last_failed, self._failed_in_a_row = False, 0
            log.info("hits are brought into the lake again")

    def _is_mover(self) -> bool:
        """Whether this node is the mover; it becomes it if it has the lease since the last turn."""
        epoch = self.keeper.epoch
        if self._state is not None and self._state.epoch == epoch:
            return True
        self._drop()
        if epoch is None:
            return False
        self._take_over(epoch)
        return True

    def _take_over(self, epoch: int) -> None:
        """Begin where the former mover has stopped, whatever it was doing."""
        opened = self._connect()
        try:
            # What these commits lose in a crash of PostgreSQL is lost before any later commit of the lake.
            opened.connection.execute("SET synchronous_commit = off")
            state = MovingState(epoch, self._open_store(epoch), opened)
        except StartRefused as error:
            self.refusal = error
            opened.close()
            raise
        except BaseException:
            opened.close()
            raise
        self._state, self.refusal = state, None
        self.chores.deleted()
        connection = state.session.connection
        rows.prepare(connection)
        visits.prepare(connection)
        [(state.last_id, moved)] = connection.execute("SELECT last_id, moved FROM mark").fetchall()
        moves.recover(opened, epoch, moved)
        self._rebuild(state)

    def _rebuild(self, state: MovingState) -> None:
        with transaction(state.session.connection):
            state.sessions.rebuild(*rebuild(state.session, self._clock()))

    def _move_all(self) -> None:
        """Move all batches that are there now; under load there would always be more, and calls wait for the end."""
        through = moves.newest_batch(self._state.opened) if self._state else None
        while (state := self._state) and through is not None:
            batches = moves.next_batches(state.opened, through, HITS_AT_ONCE)
            if not batches:
                return
            if any(batch.format > FORMAT for batch in batches):
                log.warning("hits of a newer Tallystick wait for a node of that version")
                self._drop()
                self._hand_over()
                return
            self._move(state, batches)

    def _move(self, state: MovingState, batches: Sequence[StoredBatch]) -> None:
        number = moves.begin(state.opened, state.epoch, batches)
        last_id, contents = state.last_id, []
        for batch in batches:
            content = placed(batch.content, batch.format, last_id, state.sessions)
            last_id += len(content.hits.id)
            contents.append(content)
        # Not those of old logs that are imported: no takeover looks for them.
        since = self._clock() - KEYS_KEPT_S
        contents[-1].renamed = [key for key in state.sessions.new_keys if key[-1] >= since]
        connection = state.session.connection
        with transaction(connection):
            rows.insert(connection, contents)
            visits.follow(connection, contents)
            _note_move(connection, last_id, number, contents)
        state.sessions.keep()
        state.last_id = last_id
        moves.end(state.opened, state.epoch, number)

    def _carry_out_all(self) -> None:
        calls, self._calls = self._calls, []
        for number, (_, call) in enumerate(calls):
            if self._state is None:
                self._calls += calls[number:]
                return
            call.finish(self._carry_out(self._state, call))

    def _carry_out(self, state: MovingState, call: DeferredCall) -> object:
        if call.function is None:
            return None
        session = LakeSession(state.session.connection, state.session.queries)
        try:
            with transaction(session.connection):
                result = call.function(session, *call.arguments)
            if session.requests_before is not None:
                forget_requests(state.opened, session.requests_before)
            self.chores.deleted()
            if session.sessions_outdated:
                self._rebuild(state)
        except REFUSED_STATEMENTS as error:
            return error
        except (duckdb.Error, psycopg.Error) as error:
            return self._failed(error)
        except Exception as error:  # noqa: BLE001  # errors of a function are for its caller
            return raisable(error)
        return result

    def _do_chores(self) -> None:
        """Do a piece of what keeps the lake small and quick; the next one after hits that have come meanwhile."""
        if self._state is None:
            return
        try:
            self.chores.work(self._state.session.connection)
        except duckdb.Error as error:
            if is_fenced(error) or is_broken(error):
                self._failed(error)
                return
            # Hits are moved all the same.
            reason = str(lake_error(error))
            log.warning("a chore of the lake failed; it is tried again later", chore=self.chores.newest, reason=reason)
        if self.chores.due:
            self._wake()

    def _await_lease(self) -> None:
        """Ask for the lease while calls wait for it, but not for ever."""
        now = time.monotonic()
        late = [call for until, call in self._calls if until < now]
        self._calls = [(until, call) for until, call in self._calls if until >= now]
        for call in late:
            call.finish(StoreBusy(OUTDATED if self.keeper.outdated else BUSY))
        if self._calls:
            self.keeper.ask()
        elif late:
            self.keeper.ask_no_more()

    def _leave_it_to_others(self) -> None:
        """Wait for the lease, which is not asked for while this node does not reach the storage."""
        if self.last_failed and self.keeper.holder not in {"", self._node}:
            self.last_failed = False
        if self._rests and not self._reaches():
            self._not_before = time.monotonic() + TRIED_AGAIN_AFTER_S
            self._finish_all(StoreBusy(AWAY))
            return
        if self._rests:
            self._rests = False
            self.keeper.rest_no_longer()
        self._await_lease()

    def _finish_all(self, error: Exception) -> None:
        calls, self._calls = self._calls, []
        for _, call in calls:
            call.finish(error)

    def _failed(self, error: Exception) -> StoreUnavailable:
        """Forget everything, and try again later. Returns the error for callers, of which those that wait get it."""
        self._drop()
        failure = _failure(error)
        if isinstance(error, LeaseLost) or is_fenced(error):
            return failure
        if not self.last_failed:
            log.error("hits cannot be brought into the lake now", reason=reason_of(failure))
        self.failures += 1
        self._failed_in_a_row += 1
        self.last_failed = True
        self._not_before = time.monotonic() + TRIED_AGAIN_AFTER_S
        self._finish_all(failure)
        if self._failed_in_a_row >= TRIES or isinstance(error, DatabaseSchemaRefused):
            # Perhaps another node can, for example one that reaches the storage, or a newer one.
            self._failed_in_a_row, self._rests = 0, True
            self._not_before = time.monotonic() + RESTS_S
            self._hand_over(float("inf"))
        elif self.keeper.wanted:
            self._hand_over()
        return failure

    def _drop(self) -> None:
        state, self._state = self._state, None
        if state is not None:
            state.close()

    def _hand_over(self, rests_s: float = RESTS_S) -> None:
        with suppress(StoreUnavailable):
            opened = self._connect()
            try:
                self.keeper.hand_over(opened, rests_s)
            finally:
                opened.close()

    def _give_up(self, batch: list[DeferredCall | Wake], error: Exception) -> None:
        self._drop()
        calls, self._calls = self._calls, []
        for call in [*(call for _, call in calls), *(item for item in batch if isinstance(item, DeferredCall))]:
            call.finish(StoreFailed(f"the mover failed: {error}"))

    def _stop(self) -> None:
        self._drop()
        self.keeper.close()
        self._finish_all(StoreClosed("the server is stopping"))


def _note_move(connection: Any, last_id: int, number: int, contents: Sequence[Content]) -> None:  # noqa: ANN401
    """Note the newest hit and the move, in the transaction of the hits."""
    newest = NewestIds()
    for content in contents:
        newest = newest.and_those_of(rows.newest(content))
    connection.execute(
        "UPDATE mark SET last_id = $1, moved = $2, site = greatest(site, $3), path = greatest(path, $4),"
        " campaign = greatest(campaign, $5)",
        [last_id, number, newest.site, newest.path, newest.campaign],
    )


def _failure(error: Exception) -> StoreUnavailable:
    if isinstance(error, StoreUnavailable):
        return error
    if isinstance(error, DatabaseAway):
        return StoreAway(str(error))
    if isinstance(cause := error.__cause__ if isinstance(error, StartRefused) else error, duckdb.Error):
        return lake_error(cause)
    return StoreFailed(f"the lake failed: {' '.join(str(error).split())}")
