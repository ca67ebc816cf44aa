"""Whether the server can acknowledge counts and pageviews."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tallystick.errors import StoreAway, StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.warehouse import Warehouse

Check = Callable[[], Coroutine[Any, Any, str | None]]

STOPPING = "the server stops"
COMMITTED_WITHIN_S = 3.0
"""How long a check waits for a commit."""


class Readiness:
    """Checks the stores. Concurrent requests share one run of a check.

    Attributes:
        stopping: whether the server is about to stop: it still counts, and others should get new requests.
    """

    def __init__(self, ledger: Ledger, warehouse: Warehouse) -> None:
        self.stopping = False
        self._ledger, self._warehouse = ledger, warehouse
        self._running: dict[Check, asyncio.Task[str | None]] = {}

    async def reason(self) -> str | None:
        """Why the server should get no requests; None when it should."""
        return STOPPING if self.stopping else await self.not_storing()

    async def not_storing(self) -> str | None:
        """Why nothing can be stored; None if it can. The text is public: messages of the database are only logged."""
        if self._ledger.full:
            return "the queue is full"
        # Without traffic (a load balancer has taken the server out), only a commit of our own shows that it has
        # recovered; with pending writes, only a commit shows that they are not stuck.
        if self._ledger.waiting or any(writer.last_failed for writer in self._ledger.measurements):
            if reason := await self._checked(self._committed):
                return reason
        elif reason := await self._checked(self._lanes_free):
            return reason
        if self._warehouse.failing:
            return await self._checked(self._moved)
        return None

    async def _checked(self, check: Check) -> str | None:
        """The reason why a check fails, or None. Concurrent requests share one run of a check."""
        task = self._running.get(check)
        if task is None or task.done():
            task = self._running[check] = asyncio.create_task(_reason(check))
        await asyncio.wait({task}, timeout=COMMITTED_WITHIN_S)
        return task.result() if task.done() else "commits take too long"

    async def _committed(self) -> str | None:
        await self._ledger.flush()
        return await self._lanes_free()

    async def _lanes_free(self) -> str | None:
        """Check every lane, also without traffic: a flush commits in only some of them."""
        return None if await self._ledger.lanes_free() else "counters are locked by another program"

    async def _moved(self) -> str | None:
        # Hits of a shared warehouse are counted by every server, whether the one that moves them can or not.
        await (self._warehouse.arrived() if self._warehouse.shared else self._warehouse.flush())
        return None


async def _reason(check: Check) -> str | None:
    try:
        return await check()
    except StoreAway as error:
        return str(error)
    except StoreUnavailable:
        return "the last commit failed"
