"""Lets one reader wait until there is something to read."""

import asyncio
from asyncio import Future


class Waiting:
    """A wait of one reader. It costs a future while the reader waits, and nothing else."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        self._future: Future[None] | None = None

    async def wait(self) -> None:
        """Wait until the next ``wake``."""
        self._future = asyncio.get_running_loop().create_future()
        try:
            await self._future
        finally:
            self._future = None

    def wake(self) -> None:
        """Wake the reader, if it waits."""
        future = self._future
        if future is not None and not future.done():
            future.set_result(None)
