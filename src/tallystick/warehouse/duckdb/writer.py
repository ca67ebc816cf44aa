"""The thread that acknowledges hits; it owns the journal, the ids and the living visitor sessions.

While a commit runs, the next batch gathers. All appends of a batch are one row and one sync of the journal; the mover
moves them into columns later.

Promises:
- A future gets a result only after the commit of its hits: acknowledged means durable.
- A failed commit changes nothing: ids and sessions are as before.
- Each commit notes the state of all stores (``marks``), so that a later start detects losses.
- Ids rise in the order of commits: after a read up to an id, no hit with a lower id can appear.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate
from queue import SimpleQueue

import structlog
from msgspec.structs import replace

from tallystick.errors import StoreBusy, StoreFailed, StoreUnavailable
from tallystick.warehouse.duckdb import rows
from tallystick.warehouse.duckdb.appending import Append, AppendThread
from tallystick.warehouse.duckdb.journal import Journal, JournalBatch
from tallystick.warehouse.duckdb.marks import JournalMarks
from tallystick.warehouse.duckdb.mover import DeferredCall, Move, Mover
from tallystick.warehouse.duckdb.rebuilding import rebuild
from tallystick.warehouse.duckdb.rows import Content, newest, recovered
from tallystick.warehouse.duckdb.sessions import KEYS_KEPT_S, Sessions
from tallystick.warehouse.duckdb.store import Store
from tallystick.warehouse.types import NewestIds, NumberedHit

UNMOVED_HITS = 100_000
"""The most acknowledged hits that are not in DuckDB yet; with more, appends are refused."""

NO_IDS = NewestIds()

log = structlog.get_logger()


class WarehouseWriter(AppendThread):
    """One writing thread.

    Args:
        journal: open; its batches are passed to the mover first.
        store: for rebuilding sessions.
        loop: the event loop of the futures.
        clock: Unix seconds.
        commits: returns the number of commits of the ledger; called on the writer's thread.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # its collaborators
        self,
        journal: Journal,
        mover: Mover,
        store: Store,
        loop: AbstractEventLoop,
        clock: Callable[[], int],
        commits: Callable[[], int],
    ) -> None:
        super().__init__(loop)
        self._journal, self._mover, self._store = journal, mover, store
        self._clock, self._commits = clock, commits
        self.marks = journal.marks()
        """The marks in the journal."""
        self.last_id = self.marks.last_id
        """The newest id that was acknowledged, or skipped after a loss."""
        self._taken = mover.moved
        """The newest id that was passed to the mover."""
        self._sessions = Sessions()
        self._outdated = False
        """Whether sessions in memory are older than the rows."""
        self.last_failed = False
        """Whether the outcome of the journal's last transaction is unknown."""
        self.failures = 0
        self._logged = False
        """Whether it was logged that commits fail."""
        self._recover()
        self._rebuild_sessions()
        self.thread = self._begin("warehouse-writer", idle=self._clear)

    @property
    def sessions(self) -> int:
        """Number of visitor sessions in memory."""
        return len(self._sessions)

    def _give_up(self, batch: list[Append], error: Exception) -> None:
        self._finish(batch, [StoreFailed(f"the warehouse's writer failed: {error}")] * len(batch))

    def _append(self, part: Sequence[Append]) -> Sequence[object]:
        """Store appends in one commit. Returns a result for each."""
        try:
            self._be_ready()
            return self._commit(part)
        except StoreUnavailable as error:
            self._sessions.undo()
            return [error] * len(part)
        except Exception as error:  # noqa: BLE001  # no error ends the writer
            self._sessions.undo()
            if len(part) == 1:
                return [error]
        # One of them cannot be stored: retried alone, only it is refused.
        return [result for item in part for result in self._append([item])]

    def _be_ready(self) -> None:
        if self._mover.waiting > UNMOVED_HITS:
            msg = "too many hits wait to be brought into columns"
            raise StoreBusy(msg)
        if self.last_failed:
            self._journal.reopen()
            # A commit that raised an error may nevertheless have succeeded.
            self._outdated = self._recover() or self._outdated
            self.last_failed = False
        if self._outdated or self._mover.sessions_outdated:
            self._rebuild_sessions()

    def _commit(self, part: Sequence[Append]) -> Sequence[list[NumberedHit]]:
        hits = [hit for item in part for hit in item.hits]
        requests = [item.request for item in part if item.request]
        if not hits and not requests:
            # Nothing to store: the caller waits for a commit.
            self._note(self._newer_marks())
            return [[] for _ in part]
        ids = range(self.last_id + 1, self.last_id + len(hits) + 1)
        # A batch with only an idempotency record takes an id, too, which shows that it was moved.
        last_id = self.last_id + max(1, len(hits))
        stored = [NumberedHit(id_, *self._sessions.place(hit, id_)) for id_, hit in zip(ids, hits, strict=True)]
        # Not those of old logs that are imported: no start looks for them.
        since = self._clock() - KEYS_KEPT_S
        keys = [key for key in self._sessions.new_keys if key[-1] >= since]
        encoded, content = rows.FORM.pack(hits, stored, keys, requests)
        self._keep(JournalBatch(last_id, encoded, rows.FORM.format), content, len(hits))
        ends = list(accumulate(len(item.hits) for item in part))
        return [stored[start:end] for start, end in zip((0, *ends), ends, strict=False)]

    def _keep(self, batch: JournalBatch, content: Content, hits: int) -> None:
        marks = self._newer_marks(batch.last_id, newest(content))
        with self._observed():
            self._journal.keep(batch, marks)
        self.marks = marks
        self._sessions.keep()
        self.last_id = self._taken = batch.last_id
        self._mover.take(Move(batch.last_id, hits, content, marks.commits))

    def _note(self, marks: JournalMarks) -> None:
        with self._observed():
            self._journal.note(marks)
        self.marks = marks

    def _newer_marks(self, last_id: int = 0, newest: NewestIds = NO_IDS) -> JournalMarks:
        """Marks of all stores for the next commit of the journal."""
        before = self.marks
        return JournalMarks(
            warehouse=before.warehouse,
            last_id=max(self.last_id, last_id),
            # DuckDB holds no more than was acknowledged: a mark may have been left out after a loss.
            moved=self._mover.moved,
            changes=self._mover.changes,
            commits=max(before.commits, self._commits()),
            newest=before.newest.and_those_of(newest),
        )

    @contextmanager
    def _observed(self) -> Iterator[None]:
        """Note whether a commit of the journal succeeds."""
        try:
            yield
        except StoreUnavailable as error:
            self._failed(error)
            raise
        self._succeeded()

    def _failed(self, error: StoreUnavailable) -> None:
        self.failures += 1
        self.last_failed = True
        if not self._logged:
            self._logged = True
            log.error("a commit of the warehouse's journal failed", reason=str(error))

    def _succeeded(self) -> None:
        if self._logged:
            self._logged = False
            log.info("the journal's commits succeed again", failed=self.failures)

    def _recover(self) -> bool:
        """Pass batches that are only in the journal to the mover. Returns whether there were any."""
        before = self.last_id
        for last_id, encoded, format_ in self._journal.batches():
            if last_id > self._taken:
                content = recovered(encoded, format_)
                self._mover.take(Move(last_id, len(content.hits.id), content))
                self.marks = replace(self.marks, newest=self.marks.newest.and_those_of(newest(content)))
                self._taken = last_id
        self.last_id = max(self.last_id, self._taken)
        return self.last_id > before

    def _rebuild_sessions(self) -> None:
        """Rebuild the living sessions from the rows."""
        self._wait_until_moved()
        self._mover.sessions_outdated = False
        with self._store.session() as session:
            self._sessions.rebuild(*rebuild(session, self._clock()))
        self._outdated = False

    def _wait_until_moved(self) -> None:
        if self._mover.moved < self.last_id:
            results: SimpleQueue[object] = SimpleQueue()
            self._mover.thread.submit(DeferredCall(None, (), results.put))
            if isinstance(result := results.get(), Exception):
                raise result

    def _clear(self) -> None:
        """When idle: remove batches that DuckDB has, and note the state of the other stores."""
        if not self.last_failed and (marks := self._newer_marks()) != self.marks:
            with suppress(StoreUnavailable):
                self._note(marks)

    def _stop(self) -> None:
        """Do nothing: the journal is closed when the mover has finished (``close_journal``)."""

    def close_journal(self) -> None:
        """Clear and close the journal, after both threads have ended."""
        self._clear()
        self._journal.close()
