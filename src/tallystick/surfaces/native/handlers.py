"""Health, metrics and the served API description."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tallystick.errors import StoreAway, StoreUnavailable
from tallystick.services.services import Services
from tallystick.surfaces.native.metrics import metrics_registry
from tallystick.web.surface import Kit

Check = Callable[[], Coroutine[Any, Any, str | None]]

COMMITTED_WITHIN_S = 3.0
"""How long a readiness check waits for a commit."""
_NO_STORE = {"cache-control": "no-store"}
_NOT_READY = {**_NO_STORE, "retry-after": "5"}
_FOR_ANY_PAGE = {"access-control-allow-origin": "*", "cache-control": "no-cache"}


class Native:
    """The handlers of our own API."""

    def __init__(self, services: Services, kit: Kit) -> None:
        self._ledger, self._warehouse, self._clock = services.ledger, services.warehouse, services.clock
        self._tasks = services.tasks
        self._description, self._registry = kit.description, metrics_registry(services, kit.traffic, kit.connections)
        self._running: dict[Check, asyncio.Task[str | None]] = {}

    async def live(self, _request: Request) -> Response:
        """200 as long as the process responds."""
        return JSONResponse({"status": "live"}, headers=_NO_STORE)

    async def ready(self, _request: Request) -> Response:
        """200 if the last commit of every lane succeeded and pending writes are committed soon; else 503."""
        reason = await self._why_not_ready()
        if reason is None:
            problems = {"clock": self._clock.problem, "tasks": self._tasks.problems}
            body = {"status": "ready"} | {name: problem for name, problem in problems.items() if problem}
            return JSONResponse(body, headers=_NO_STORE)
        return JSONResponse({"status": "unavailable", "reason": reason}, 503, headers=_NOT_READY)

    async def _why_not_ready(self) -> str | None:
        """The reason, or None when ready. The response is public, so messages of the database are only logged."""
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
        await self._warehouse.flush()
        return None

    async def metrics(self, _request: Request) -> Response:
        """The metrics, in the text format of Prometheus."""
        return Response(generate_latest(self._registry), headers=_NO_STORE, media_type=CONTENT_TYPE_LATEST)

    async def openapi(self, _request: Request) -> Response:
        """The description of every surface, as OpenAPI."""
        body = await asyncio.to_thread(lambda: self._description.json)
        return Response(body, media_type="application/json", headers=_FOR_ANY_PAGE)


async def _reason(check: Check) -> str | None:
    try:
        return await check()
    except StoreAway as error:
        return str(error)
    except StoreUnavailable:
        return "the last commit failed"
