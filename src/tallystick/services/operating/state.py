"""The state of a running server, from what its parts measure anyway. The ledger may be down."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from tallystick.errors import StartRefused, StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.ledger.measurements import Histogram
from tallystick.services.clock import ClockWatch
from tallystick.services.operating.backups import BackupNote, BackupNotes
from tallystick.services.operating.disk_history import DiskHistory, Growth, growth_of
from tallystick.services.operating.machine import Machine, look_at_machine, running_versions
from tallystick.services.operating.slow_questions import SlowQuestion, SlowQuestions
from tallystick.services.readiness import Readiness
from tallystick.tasks import BackgroundTask, BackgroundTasks, RunningTask
from tallystick.warehouse import Warehouse

ALMOST_ALL = 0.99


class Spread(Struct, frozen=True):
    """Observations since the start.

    Attributes:
        mean: 0 without observations.
        almost_all: a bound that 99 of 100 do not exceed; None without observations, or above the greatest bound.
    """

    count: int
    mean: float
    almost_all: float | None


class Writing(Struct, frozen=True, kw_only=True):
    """How the ledger's writers do.

    Attributes:
        database: where the ledger is, without a password.
        shared: whether the database is a server of its own, which other programs reach too.
        problem: why counts cannot be stored at the moment; None if they can.
        last_commit: Unix ms; None if nothing was stored since the start.
        commit_s: seconds of one transaction.
        batch: writes in one transaction.
        failures: transactions that failed.
        waiting, most_waiting: pending writes, and how many may be.
    """

    database: str
    shared: bool
    problem: str | None
    last_commit: int | None
    commit_s: Spread
    batch: Spread
    failures: int
    waiting: int
    most_waiting: int


class Hits(Struct, frozen=True, kw_only=True):
    """How the warehouse does.

    Attributes:
        owned: whether this server counts pageviews and has the statistics; of several on one database, one does.
        waiting: hits that wait for their commit.
        unmoved: hits in the journal, stored but not yet in columns.
        failures: transactions that failed.
        failing: whether the newest one failed.
        sessions: visitor sessions in memory.
        mover: the server that brings hits of all servers into columns, empty while there is none; None where this one
            has hits of its own.
        moves: whether that is this server.
        server: the name of this one among them; None where it has hits of its own.
    """

    owned: bool
    waiting: int
    unmoved: int
    failures: int
    failing: bool
    sessions: int
    mover: str | None = None
    moves: bool = False
    server: str | None = None


class TaskState(Struct, frozen=True, kw_only=True):
    """A background task.

    Attributes:
        every_s: seconds between two passes.
        last_success: Unix ms; None before the first one.
        failures: since the start.
        overdue: whether it has not succeeded for long.
    """

    name: str
    every_s: float
    last_success: int | None
    failures: int
    overdue: bool


class ServerState(Struct, frozen=True, kw_only=True):
    """The state of the server at one moment. Times are Unix ms.

    Attributes:
        clock_ahead_s: by how much the clock is ahead of the newest commit, below 0 behind; 0 if it is right.
        growth: of the data directory; None until it was measured for some days.
        backup: the last one; None without a note of one.
        slow: questions of the last day that took long, the newest first.
    """

    at: int
    started: int
    writing: Writing
    hits: Hits
    clock_ahead_s: float
    tasks: Sequence[TaskState]
    machine: Machine
    growth: Growth | None
    backup: BackupNote | None
    slow: Sequence[SlowQuestion]
    versions: Mapping[str, str]


class Operating:
    """Looks at a running server. Used from one event loop.

    Args:
        data: the data directory.
        noted: the note of the last backup.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # what it looks at
        self,
        ledger: Ledger,
        warehouse: Warehouse,
        readiness: Readiness,
        clock: ClockWatch,
        tasks: BackgroundTasks,
        slow: SlowQuestions,
        data: Path,
        noted: BackupNotes,
    ) -> None:
        self._ledger, self._warehouse, self._readiness = ledger, warehouse, readiness
        self._clock, self._tasks, self._slow, self._data, self._noted = clock, tasks, slow, data, noted
        self._disk_history = DiskHistory(data)
        self._started = time.time_ns() // 1_000_000
        self._versions: Mapping[str, str] | None = None

    async def state(self) -> ServerState:
        """The state of the server now. Takes a few seconds if the database does not answer."""
        if self._versions is None:
            self._versions = await asyncio.to_thread(running_versions)
        machine, growth, backup = await asyncio.to_thread(self._look)
        problem = await self._readiness.not_storing()
        return ServerState(
            at=time.time_ns() // 1_000_000,
            started=self._started,
            writing=self._writing(problem),
            hits=self._hits(),
            clock_ahead_s=self._clock.ahead,
            tasks=[_task(state) for state in self._tasks.states],
            machine=machine,
            growth=growth,
            backup=backup,
            slow=self._slow.of_last_day,
            versions=self._versions,
        )

    async def backup(self) -> BackupNote | None:
        """The last backup; None without a note of one."""
        return await asyncio.to_thread(self._last_backup)

    def tasks(self) -> list[BackgroundTask]:
        """Measure how the data directory grows."""
        return self._disk_history.tasks()

    def _look(self) -> tuple[Machine, Growth | None, BackupNote | None]:
        machine = look_at_machine(self._data)
        free = None if machine.space is None else machine.space.free
        return machine, growth_of(self._disk_history.read(), free), self._last_backup()

    def _last_backup(self) -> BackupNote | None:
        with suppress(StoreUnavailable, StartRefused):  # of the database, the rest of the page tells
            return self._noted.read()
        return None

    def _writing(self, problem: str | None) -> Writing:
        writers = self._ledger.measurements
        saved = [writer.last_saved for writer in writers if writer.last_saved is not None]
        return Writing(
            database=self._ledger.database.describe(),
            shared=self._ledger.database.lanes_alone,
            problem=problem,
            last_commit=round(max(saved) * 1_000) if saved else None,
            commit_s=spread([writer.commit for writer in writers]),
            batch=spread([writer.batch_size for writer in writers]),
            failures=sum(writer.failures for writer in writers),
            waiting=self._ledger.waiting,
            most_waiting=self._ledger.queue_limit,
        )

    def _hits(self) -> Hits:
        warehouse = self._warehouse
        return Hits(
            owned=warehouse.owned,
            waiting=warehouse.waiting,
            unmoved=warehouse.unmoved,
            failures=warehouse.failures,
            failing=warehouse.failing,
            sessions=warehouse.sessions,
            mover=warehouse.mover,
            moves=warehouse.mover is not None and warehouse.carries_out_jobs,
            server=warehouse.node,
        )


def spread(histograms: Sequence[Histogram]) -> Spread:
    """Several histograms of the same bounds, as one."""
    counts = [sum(column) for column in zip(*(histogram.counts for histogram in histograms), strict=True)]
    count = sum(counts)
    if not count:
        return Spread(0, 0.0, None)
    passed, bound = 0, None
    for observed, upper in zip(counts, (*histograms[0].bounds, None), strict=True):
        passed += observed
        if passed >= ALMOST_ALL * count:
            bound = upper
            break
    return Spread(count, sum(histogram.sum for histogram in histograms) / count, bound)


def _task(state: RunningTask) -> TaskState:
    return TaskState(
        name=state.row.name,
        every_s=state.row.period,
        last_success=None if state.last_success is None else round(state.last_success * 1_000),
        failures=state.failures,
        overdue=state.overdue,
    )
