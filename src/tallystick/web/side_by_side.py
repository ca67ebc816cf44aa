"""Runs coroutines concurrently until the first one ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tallystick.tasks import end_tasks

Result = TypeVar("Result")


async def first_to_end(*coroutines: Coroutine[Any, Any, Result]) -> Result:
    """Run coroutines concurrently and return the result of the one that ends first.

    The others are cancelled and have ended when this returns or raises, also if one of them raises while it ends (which
    is logged) or if this call is cancelled.
    """
    tasks = [asyncio.create_task(coroutine, name=getattr(coroutine, "__qualname__", None)) for coroutine in coroutines]
    first = None
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        first = next(task for task in tasks if task in done)
        return first.result()
    finally:
        await end_tasks(*(task for task in tasks if task is not first))
