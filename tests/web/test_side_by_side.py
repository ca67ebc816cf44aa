"""Tasks are ended whatever they raise, and a cancellation of the one who ends them is never lost."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn

import pytest

from tallystick.tasks import end_tasks
from tallystick.web.side_by_side import first_to_end


async def for_ever() -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError


async def slow_to_end(ended: list[str], seconds: float = 0.05) -> None:
    try:
        await for_ever()
    finally:
        await asyncio.sleep(seconds)
        ended.append("slow")


async def failing_to_end() -> None:
    try:
        await for_ever()
    finally:
        msg = "no disk"
        raise OSError(msg)


async def started(*coroutines: Coroutine[Any, Any, object]) -> list["asyncio.Task[object]"]:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    await asyncio.sleep(0)
    return tasks


async def test_all_have_ended_also_when_one_fails() -> None:
    ended: list[str] = []
    tasks = await started(failing_to_end(), slow_to_end(ended), failing_to_end())
    await end_tasks(*tasks)
    assert ended == ["slow"]
    assert all(task.done() for task in tasks)


async def test_nothing_to_end_is_no_mistake() -> None:
    await end_tasks()
    [task] = await started(asyncio.sleep(0))
    await task
    await end_tasks(task)


async def test_a_limit_on_the_time_to_stop_is_kept() -> None:
    tasks = await started(slow_to_end([], seconds=30))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await end_tasks(*tasks)
    tasks[0].cancel()


async def test_a_cancellation_that_comes_while_tasks_end_is_raised() -> None:
    tasks = await started(slow_to_end([]))
    ending = asyncio.create_task(end_tasks(*tasks))
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.wait({ending})
    assert ending.cancelled()


async def test_the_first_result_is_the_answer_and_the_others_have_ended() -> None:
    ended: list[str] = []
    assert await first_to_end(slow_to_end(ended), asyncio.sleep(0, "first"), slow_to_end(ended)) == "first"
    assert ended == ["slow", "slow"]


async def test_a_failure_of_one_that_is_cancelled_leaves_none_running() -> None:
    ended: list[str] = []
    assert await first_to_end(asyncio.sleep(0, "first"), failing_to_end(), slow_to_end(ended)) == "first"
    assert ended == ["slow"]


async def test_a_cancellation_ends_them_all() -> None:
    ended: list[str] = []
    [running] = await started(first_to_end(failing_to_end(), slow_to_end(ended), slow_to_end(ended)))
    await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    assert ended == ["slow", "slow"]


async def test_what_the_first_raises_is_raised_and_the_others_have_ended() -> None:
    ended: list[str] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError

    with pytest.raises(KeyError):
        await first_to_end(slow_to_end(ended), fail())
    assert ended == ["slow"]
