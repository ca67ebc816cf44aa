"""Requests that carry a key of their sender's are carried out once, however often they are sent."""

from asyncio import Lock
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tallystick.warehouse import KeptRequest, Warehouse


class _Turn:
    def __init__(self) -> None:
        self.lock = Lock()
        self.takers = 0


class KeyedRequests:
    """Who has sent which key, and whose turn it is. Used from one event loop."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[KeptRequest | None]:
        """Wait until nobody else has the key; gives what was answered under it, None when nothing was.

        The answer is kept by the transaction that stores what the request brings, so that a crash cannot
        come in between.

        Raises:
            StoreUnavailable
        """
        turn = self._turns.setdefault(key, _Turn())
        turn.takers += 1
        try:
            async with turn.lock:
                yield await self._warehouse.kept_request(key)
        finally:
            turn.takers -= 1
            if not turn.takers:
                del self._turns[key]
