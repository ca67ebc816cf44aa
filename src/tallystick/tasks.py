"""Background tasks: one table, one error policy, one way to stop.

A task is a function that is called repeatedly while the server runs. A failure is logged, counted and retried
later; a task that has not succeeded for long is reported by ``/health/ready`` and by ``tallystick doctor``.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Self

import structlog
from msgspec import Struct

from tallystick.errors import StoreUnavailable

ENDS_WITHIN_S = 10.0
"""How long tasks may take to end once they are cancelled."""
LONGEST_DELAY_S = 60.0
OVERDUE_AFTER_PERIODS = 5
OVERDUE_AFTER_AT_LEAST_S = 60.0

log = structlog.get_logger()


class BackgroundTask(Struct, frozen=True):
    """A row of the table.

    Attributes:
        name: names the task in the log, in metrics and in health; part of their contract.
        run: one pass. Returns True if the next pass should begin at once.
        period: seconds from the end of a pass to the begin of the next one.
        trigger: begins the next pass early; not after a failure, so that it cannot defeat the back-off.
        begins_after: seconds from the start to the first pass.
        longest_delay: the bound of the back-off, in seconds; a longer period takes precedence.
        overdue_after: seconds without a success after which the task is overdue; None for a few periods.
    """

    name: str
    run: Callable[[], Awaitable[bool | None]]
    period: float
    trigger: asyncio.Event | None = None
    begins_after: float = 0.0
    longest_delay: float = LONGEST_DELAY_S
    overdue_after: float | None = None

    def delay(self, failures: int) -> float:
        """Seconds until the next pass, after a number of failures in a row."""
        doubled = self.period * 2.0 ** min(max(failures - 1, 0), 16)
        return max(self.period, min(doubled, self.longest_delay))

    @property
    def patience(self) -> float:
        """Seconds without a success after which the task is overdue."""
        if self.overdue_after is not None:
            return self.overdue_after
        return max(OVERDUE_AFTER_PERIODS * self.period, OVERDUE_AFTER_AT_LEAST_S)


class RunningTask:
    """A background task and its state.

    Attributes:
        failures: passes that failed since the start.
        last_success: Unix seconds; None before the first one.
    """

    def __init__(self, row: BackgroundTask, clock: Callable[[], float]) -> None:
        self.row, self._clock = row, clock
        self.failures = 0
        self.last_success: float | None = None
        self._failed_in_a_row = 0
        self._last_error = ""
        self._due_since = clock() + row.begins_after

    @property
    def without_success(self) -> float:
        """Seconds since the last success, or since the first pass was due."""
        return max(0.0, self._clock() - self._due_since)

    @property
    def overdue(self) -> bool:
        """Whether the task has not succeeded for long: it fails, hangs or has ended."""
        return self.without_success > self.row.patience

    async def keep_running(self) -> None:
        """Run pass after pass until the task is cancelled."""
        own = asyncio.current_task()
        assert own is not None
        self._due_since = self._clock() + self.row.begins_after
        await asyncio.sleep(self.row.begins_after)
        # A pass that swallows a cancellation must not keep the task from ending.
        while not own.cancelling():
            if self.row.trigger is not None:
                self.row.trigger.clear()
            more = await self._pass(own)
            await self._wait(0.0 if more else self.row.delay(self._failed_in_a_row))

    async def _pass(self, own: "asyncio.Task[None]") -> bool:
        """Run one pass. Returns whether it succeeded and has more to do."""
        try:
            more = await self.row.run()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            # A CancelledError without a cancellation of this task comes from something that the pass awaited.
            if own.cancelling():
                raise
            self._failed(error)
            return False
        self._succeeded()
        return bool(more)

    async def _wait(self, seconds: float) -> None:
        trigger = None if self._failed_in_a_row else self.row.trigger
        if trigger is None or not seconds:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await trigger.wait()

    def _succeeded(self) -> None:
        if self._failed_in_a_row:
            log.info("a background task works again", task=self.row.name, failures=self._failed_in_a_row)
        self._failed_in_a_row, self._last_error = 0, ""
        self._due_since, self.last_success = self._clock(), time.time()

    def _failed(self, error: BaseException) -> None:
        """Count and log a failure; the same one in a row is logged once."""
        self.failures += 1
        self._failed_in_a_row += 1
        description = f"{type(error).__name__}: {error}"
        if description != self._last_error:
            if isinstance(error, StoreUnavailable):
                log.warning("a background task was put off", task=self.row.name, reason=str(error))
            else:
                log.error("a background task failed and is tried again", task=self.row.name, exc_info=error)
        self._last_error = description

    def ended(self, task: "asyncio.Task[None]") -> None:
        """Note that a task has ended although the server runs; health reports it from then on."""
        self.failures += 1
        self._due_since = float("-inf")
        error = None if task.cancelled() else task.exception()
        log.critical("a background task has ended; restart the server", task=self.row.name, exc_info=error)


class BackgroundTasks:
    """The table of background tasks, started and stopped together. Used from one event loop.

    Attributes:
        states: every row with its state, in the order of the table.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, rows: Iterable[BackgroundTask] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.states: list[RunningTask] = []
        self.add(*rows)
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    def add(self, *rows: BackgroundTask) -> None:
        """Append rows; before ``start``."""
        self.states += [RunningTask(row, self._clock) for row in rows]

    def start(self) -> None:
        """Run every task until ``close``."""
        self._closing = False
        for state in self.states:
            task = asyncio.create_task(state.keep_running(), name=state.row.name)
            task.add_done_callback(partial(self._ended, state))
            self._tasks.append(task)

    async def close(self, within: float = ENDS_WITHIN_S) -> None:
        """End every task; see ``end_tasks``."""
        self._closing = True
        tasks, self._tasks = self._tasks, []
        await end_tasks(*tasks, within=within)

    def _ended(self, state: RunningTask, task: "asyncio.Task[None]") -> None:
        if not self._closing:
            state.ended(task)

    async def __aenter__(self) -> Self:
        """Start the tasks."""
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the tasks."""
        await self.close()

    @property
    def problems(self) -> list[str]:
        """Overdue tasks, each as a sentence; messages of databases are only in the log."""
        return [_sentence(state) for state in self.states if state.overdue]


def _sentence(state: RunningTask) -> str:
    seconds = state.without_success
    if seconds == float("inf"):
        return f"{state.row.name} has ended"
    return f"{state.row.name} has not succeeded for {seconds:.0f} seconds"


async def end_tasks(*tasks: "asyncio.Task[Any]", within: float | None = None) -> None:
    """Cancel tasks and wait until all of them have ended.

    An error of a task while it ends is logged, so that the others are still waited for. A cancellation of the
    caller is raised as usual: ``asyncio.wait`` does not raise the errors of tasks, so the two cannot be confused, as
    with ``with suppress(CancelledError): await task``.

    Args:
        within: seconds after which tasks that have not ended are logged and abandoned; None to wait for all.
    """
    for task in tasks:
        task.cancel()
    if not tasks:
        return
    done, left = await asyncio.wait(tasks, timeout=within)
    for task in left:
        log.error("a background task does not end and is left", task=task.get_name(), waited=within)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a background task failed while it ended", task=task.get_name(), exc_info=error)
