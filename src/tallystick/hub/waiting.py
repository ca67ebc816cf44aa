"""One reader that waits for something to read."""

import asyncio
from asyncio import Future


class Waiting:
    """Where one reader sleeps. Costs a future while it does, and nothing else."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        self._future: Future[None] | None = None

    async def wait(self) -> None:
        """Sleep until the next ``wake``."""
        self._future = asyncio.get_running_loop().create_future()
        try:
            await self._future
        finally:
            self._future = None

    def wake(self) -> None:
        """Let the reader look again, if one sleeps."""
        future = self._future
        if future is not None and not future.done():
            future.set_result(None)
