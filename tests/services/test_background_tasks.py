"""The table of background tasks: errors, back-off, what health tells of them, and how they end."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.in_process import InProcess, in_process
from support.ledgers import until
from tallystick.errors import StoreFailed
from tallystick.services.exports import exports
from tallystick.tasks import BackgroundTask, BackgroundTasks, RunningTask

Pass = Callable[[], Awaitable[bool | None]]
PERIOD_S = 0.001


class Clock:
    """Seconds; stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Passes:
    """A pass that raises one error after another, then succeeds."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors, self.count = list(errors), 0

    async def __call__(self) -> None:
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)


def table(run: Pass, clock: Clock | None = None, **options: float) -> BackgroundTasks:
    return BackgroundTasks([BackgroundTask("sums", run, PERIOD_S, **options)], clock or Clock())  # type: ignore[arg-type]  # no option is an event


# Errors


class OddError(BaseException):
    """What only a fault of a library raises."""


ERRORS = {
    "a store": (StoreFailed("the disk is gone"), "was put off"),
    "a fault": (ValueError("no number"), "failed and is tried again"),
    "no Exception": (OddError(), "failed and is tried again"),
    "a cancellation of something else": (asyncio.CancelledError(), "failed and is tried again"),
}


@pytest.mark.parametrize(("error", "said"), ERRORS.values(), ids=ERRORS)
async def test_an_error_is_logged_and_counted_and_the_task_goes_on(
    error: BaseException, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    passes = Passes(error)
    async with table(passes) as tasks:
        await until(lambda: passes.count >= 3)
        [state] = tasks.states
        assert state.failures == 1
        assert state.last_success is not None
    output = capsys.readouterr().out
    assert said in output
    assert ("Traceback" in output or type(error).__name__ in output) == (said != "was put off")
    assert "a background task works again" in output


async def test_the_same_error_in_a_row_is_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    passes = Passes(*(StoreFailed("the disk is gone") for _ in range(3)), StoreFailed("the disk is full"))
    async with table(passes, longest_delay=PERIOD_S) as tasks:
        await until(lambda: passes.count >= 5)
        assert tasks.states[0].failures == 4
    assert capsys.readouterr().out.count("was put off") == 2


@pytest.mark.parametrize(
    ("period", "failures", "delay"),
    [(1, 0, 1), (1, 1, 1), (1, 2, 2), (1, 5, 16), (1, 7, 60), (1, 10_000, 60), (3_600, 1, 3_600), (3_600, 9, 3_600)],
)
def test_the_delay_doubles_from_the_period_up_to_a_bound(period: float, failures: int, delay: float) -> None:
    assert BackgroundTask("sums", Passes(), period).delay(failures) == delay


async def test_a_trigger_begins_a_pass_early_but_not_after_a_failure() -> None:
    passes, trigger = Passes(), asyncio.Event()
    async with BackgroundTasks([BackgroundTask("sums", passes, 60.0, trigger=trigger)]):
        await until(lambda: passes.count == 1)
        trigger.set()
        await until(lambda: passes.count == 2)
        passes.errors.append(StoreFailed("the disk is gone"))
        trigger.set()
        await until(lambda: passes.count == 3)
        trigger.set()
        await asyncio.sleep(0.05)
        assert passes.count == 3


async def test_a_pass_that_has_more_to_do_is_followed_at_once() -> None:
    more = iter([True, True, False, True])
    count = 0

    async def run() -> bool:
        nonlocal count
        count += 1
        return next(more)

    async with BackgroundTasks([BackgroundTask("sums", run, 60.0)]):
        await until(lambda: count == 3)
        await asyncio.sleep(0.05)
    assert count == 3


# Health


async def test_a_task_that_fails_or_hangs_for_long_is_overdue() -> None:
    clock, passes, hang = Clock(), Passes(), asyncio.Event()

    async def run() -> None:
        await hang.wait()
        await passes()

    async with table(run, clock) as tasks:
        clock.now = 60.0
        assert tasks.problems == []
        clock.now = 61.0
        assert tasks.problems == ["sums has not succeeded for 61 seconds"]
        hang.set()
        await until(lambda: passes.count >= 2)
        assert tasks.problems == []


@pytest.mark.parametrize(("options", "patience"), [({}, 60), ({"period": 100}, 500), ({"overdue_after": 9}, 9)])
def test_several_periods_make_a_task_overdue(options: dict[str, float], patience: float) -> None:
    assert BackgroundTask("sums", Passes(), **{"period": 1.0, **options}).patience == patience  # type: ignore[arg-type]  # no option is an event


async def test_a_task_that_ended_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    async with table(Passes()) as tasks:
        [task] = [task for task in asyncio.all_tasks() if task.get_name() == "sums"]
        task.cancel()
        await until(lambda: tasks.problems == ["sums has ended"])
    assert "has ended; restart the server" in capsys.readouterr().out


# The end


async def test_a_task_that_does_not_end_is_named_and_left(capsys: pytest.CaptureFixture[str]) -> None:
    begun, let_go = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await let_go.wait()

    tasks = BackgroundTasks(
        [BackgroundTask("sums", Passes(), PERIOD_S), BackgroundTask("stubborn", stubborn, PERIOD_S)]
    )
    tasks.start()
    await begun.wait()
    [left] = [task for task in asyncio.all_tasks() if task.get_name() == "stubborn"]
    await tasks.close(within=0.05)
    output = capsys.readouterr().out
    assert "does not end and is left" in output
    assert "stubborn" in output
    assert "sums" not in output
    let_go.set()
    await asyncio.wait({left})


async def test_a_pass_that_swallows_a_cancellation_ends_its_task_all_the_same() -> None:
    begun = asyncio.Event()

    async def deaf() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    tasks = table(deaf)
    tasks.start()
    await begun.wait()
    await tasks.close(within=10.0)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "sums"]


async def test_a_cancellation_of_the_one_who_stops_the_tasks_is_raised() -> None:
    begun, let_go = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await let_go.wait()

    tasks = table(stubborn)
    tasks.start()
    await begun.wait()
    [left] = [task for task in asyncio.all_tasks() if task.get_name() == "sums"]
    closing = asyncio.create_task(tasks.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    let_go.set()
    await asyncio.wait({left})


# The table of the server


NAMES = {
    *(
        "renewal",
        "expired-counters",
        "counter-history",
        "shared-counters",
        "unknown-hosts",
        "versions",
        "dropped-hits",
        "superuser-logins",
    ),
    *("clock", "jobs", "hit-marks", "old-hits", "exports", "old-exports", "uploads", "old-uploads", "disk-history"),
    *("live-changes", "live-tokens", "live-days", "live-counters", "superuser-logins", "logouts", "counter-files"),
}


def state_of(running: InProcess, name: str) -> RunningTask:
    return next(state for state in running.application.tasks.states if state.row.name == name)


def exports_cannot_be_read(running: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the next pass on."""
    ledger = running.application.ledger
    read = ledger.read

    async def fails(function: Any, *arguments: Any) -> Any:
        if function is exports._next:  # noqa: SLF001  # the one read of the task
            msg = "the disk is gone"
            raise StoreFailed(msg)
        return await read(function, *arguments)

    monkeypatch.setattr(ledger, "read", fails)


async def test_a_task_that_fails_for_long_is_named_beside_200_and_in_the_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "TRY_AGAIN_AFTER_S", 0.01)
    monkeypatch.setattr(exports, "WRITTEN_WITHIN_S", 0.05)
    async with in_process(tmp_path) as running:
        failing = state_of(running, "exports")
        await until(lambda: failing.last_success)
        assert (await running.ask("/health/ready")).json() == {"status": "ready"}
        with monkeypatch.context() as patched:
            exports_cannot_be_read(running, patched)
            await until(lambda: failing.overdue and failing.failures >= 2)
            ready = await running.ask("/health/ready")
            assert (ready.status, ready.json()["status"]) == (200, "ready")
            [problem] = ready.json()["tasks"]
            assert problem.startswith("exports has not succeeded for ")
            metrics = (await running.ask("/metrics")).body.decode()
            assert 'tallystick_task_overdue{task="exports"} 1.0' in metrics
            assert 'tallystick_task_overdue{task="jobs"} 0.0' in metrics
            assert re.search(r'^tallystick_task_failures_total{task="exports"} ([2-9]|\d\d)', metrics, re.MULTILINE)
            assert 'tallystick_task_last_success_timestamp_seconds{task="exports"} 1' in metrics
        await until(lambda: not failing.overdue)
        assert (await running.ask("/health/ready")).json() == {"status": "ready"}


async def test_the_server_runs_every_task_and_ends_them(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        states = running.application.tasks.states
        assert {state.row.name for state in states} == NAMES
        soon = [state for state in states if not state.row.begins_after]
        await until(lambda: all(state.last_success for state in soon))
        assert [state.row.name for state in states if state.failures] == []
    assert not NAMES & {task.get_name() for task in asyncio.all_tasks()}


@asynccontextmanager
async def with_deaf_exports(data: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InProcess]:
    """A server whose exports do not end when they are cancelled, until the block is left."""
    reading, let_go = asyncio.Event(), asyncio.Event()
    async with in_process(data) as running:
        ledger = running.application.ledger
        read = ledger.read

        async def deaf(function: Any, *arguments: Any) -> Any:
            if function is not exports._next:  # noqa: SLF001  # the one read of the task
                return await read(function, *arguments)
            reading.set()
            try:
                await asyncio.Event().wait()
            finally:
                await let_go.wait()

        monkeypatch.setattr(ledger, "read", deaf)
        await reading.wait()
        [left] = [task for task in asyncio.all_tasks() if task.get_name() == "exports"]
        yield running
        let_go.set()
        await asyncio.wait({left})


async def test_the_server_names_a_task_that_does_not_end_and_closes_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exports, "TRY_AGAIN_AFTER_S", 0.01)
    async with with_deaf_exports(tmp_path, monkeypatch) as running:
        await running.application.tasks.close(within=0.5)
        assert {task.get_name() for task in asyncio.all_tasks()} & NAMES == {"exports"}
        async with asyncio.timeout(20):
            await running.application.close()
    output = capsys.readouterr().out
    assert output.count("does not end and is left") == 1
    assert re.search(r"does not end and is left.*exports", output)


async def test_a_cancellation_while_the_server_ends_its_tasks_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "TRY_AGAIN_AFTER_S", 0.01)
    async with with_deaf_exports(tmp_path, monkeypatch) as running:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await running.application.close()
