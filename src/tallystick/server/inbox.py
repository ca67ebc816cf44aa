"""Small replacements for ``asyncio.Event`` and ``asyncio.Queue``, whose deques take 4 KB of each WebSocket."""

import asyncio
from typing import Any


class Flag:
    """Set or not; can be waited for. Has the methods of ``asyncio.Event``."""

    __slots__ = ("_set", "_waiting")

    def __init__(self) -> None:
        self._set = False
        self._waiting: tuple[asyncio.Future[None], ...] = ()

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._set

    def set(self) -> None:
        """Set it, and wake everything that waits."""
        self._set = True
        waiting, self._waiting = self._waiting, ()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def clear(self) -> None:
        """Let the next ``wait`` wait."""
        self._set = False

    async def wait(self) -> None:
        """Return when it is set."""
        while not self._set:
            future = asyncio.get_running_loop().create_future()
            self._waiting = (*(each for each in self._waiting if not each.done()), future)
            await future


class Inbox:
    """ASGI messages that wait for the application, which reads them one after the other.

    Has the methods of ``asyncio.Queue`` that uvicorn uses.
    """

    __slots__ = ("_arrived", "_messages")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._arrived = Flag()

    def empty(self) -> bool:
        """Whether no message waits."""
        return not self._messages

    def put_nowait(self, message: Any) -> None:  # noqa: ANN401  # an ASGI message
        """Append a message."""
        self._messages.append(message)
        self._arrived.set()

    async def get(self) -> Any:  # noqa: ANN401
        """Wait for the next message."""
        while not self._messages:
            self._arrived.clear()
            await self._arrived.wait()
        return self._messages.pop(0)
