"""Threads for files that all servers have: slow storage keeps nothing else of a server waiting.

Calls that the event loop leaves to its own threads are quick; a silent storage holds a thread for half a minute.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import Lock
from typing import ParamSpec, TypeVar

from tallystick.errors import StoreBusy

THREADS = 8
WAITING = 100
"""Calls that wait for a thread."""

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


class FileThreads:
    """Threads of their own for blocking calls, as ``asyncio.to_thread`` has them for all others.

    Args:
        threads: calls that run at once.
        waiting: calls that wait.
    """

    def __init__(self, threads: int = THREADS, waiting: int = WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="files")
        self._most, self._unended, self._lock = threads + waiting, 0, Lock()

    async def run(
        self, function: Callable[Arguments, Result], /, *arguments: Arguments.args, **named: Arguments.kwargs
    ) -> Result:
        """Run a function that blocks. It goes on when the caller is cancelled.

        Raises:
            StoreBusy: too many calls wait.
        """
        with self._lock:
            if self._unended >= self._most:
                msg = "too many requests wait for the storage of files"
                raise StoreBusy(msg)
            self._unended += 1
        running = self._pool.submit(copy_context().run, partial(function, *arguments, **named))
        running.add_done_callback(self._ended)
        return await asyncio.wrap_future(running)

    def _ended(self, _: "Future[Result]") -> None:
        with self._lock:
            self._unended -= 1


on_file_thread = FileThreads().run
"""Runs calls of ``FilePlace`` on the threads of this process."""
