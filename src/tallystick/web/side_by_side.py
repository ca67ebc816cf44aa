"""Several things that go on at once for one connection, until the first of them ends."""

import asyncio
from asyncio import Task
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")


async def first_to_end(*coroutines: Coroutine[Any, Any, Result]) -> Result:
    """Run them side by side; the result of the one that ends first. The others are cancelled."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        await _cancelled(tasks)


async def _cancelled(tasks: Iterable["Task[Any]"]) -> None:
    for task in tasks:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
