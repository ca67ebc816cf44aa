"""Ends background tasks without losing a cancellation of the task that ends them."""

import asyncio
from typing import Any

import structlog

log = structlog.get_logger()


async def end_tasks(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait until all of them have ended.

    What a task raises while it ends is logged, so that the others are still waited for. A cancellation of the
    caller is raised as usual: ``asyncio.wait`` never passes on how a task ended, so the two cannot be confused, as
    they are by ``with suppress(CancelledError): await task``.
    """
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a background task failed", task=task.get_coro().__qualname__, exc_info=error)  # type: ignore[union-attr]  # always a coroutine
