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

Trial = Callable[[], Coroutine[Any, Any, str | None]]

COMMITTED_WITHIN_S = 3.0
"""How long a question whether counting works waits for a commit."""
_NO_STORE = {"cache-control": "no-store"}
_NOT_READY = {**_NO_STORE, "retry-after": "5"}
_FOR_ANY_PAGE = {"access-control-allow-origin": "*", "cache-control": "no-cache"}


class Native:
    """The handlers of our own API."""

    def __init__(self, services: Services, kit: Kit) -> None:
        self._ledger, self._warehouse, self._clock = services.ledger, services.warehouse, services.clock
        self._tasks = services.tasks
        self._description, self._registry = kit.description, metrics_registry(services, kit.traffic)
        self._trials: dict[Trial, asyncio.Task[str | None]] = {}

    async def live(self, _request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"status": "live"}, headers=_NO_STORE)

    async def ready(self, _request: Request) -> Response:
        """Counting works: in every lane, the last commit succeeded, and what waits is committed soon."""
        reason = await self._why_not_ready()
        if reason is None:
            problems = {"clock": self._clock.problem, "tasks": self._tasks.problems}
            body = {"status": "ready"} | {name: problem for name, problem in problems.items() if problem}
            return JSONResponse(body, headers=_NO_STORE)
        return JSONResponse({"status": "unavailable", "reason": reason}, 503, headers=_NOT_READY)

    async def _why_not_ready(self) -> str | None:
        """The reason, or None when ready. Anyone may read it, so messages of the database are only logged."""
        if self._ledger.full:
            return "the queue is full"
        # A server from which a load balancer took all traffic must find out that it has recovered; and where
        # writes wait, only a commit shows that they do not wait for ever.
        if self._ledger.waiting or any(writer.last_failed for writer in self._ledger.measurements):
            if reason := await self._tried(self._committed):
                return reason
        elif reason := await self._tried(self._lanes_free):
            return reason
        if self._warehouse.failing:
            return await self._tried(self._moved)
        return None

    async def _tried(self, trial: Trial) -> str | None:
        """The reason why a trial does not succeed, or None. Concurrent requests share one trial, so none queue up."""
        task = self._trials.get(trial)
        if task is None or task.done():
            task = self._trials[trial] = asyncio.create_task(_reason(trial))
        await asyncio.wait({task}, timeout=COMMITTED_WITHIN_S)
        return task.result() if task.done() else "commits take too long"

    async def _committed(self) -> str | None:
        await self._ledger.flush()
        return await self._lanes_free()

    async def _lanes_free(self) -> str | None:
        """Every lane is looked at, also without traffic: a commit of ours touches only some of them."""
        return None if await self._ledger.lanes_free() else "counters are locked by another program"

    async def _moved(self) -> str | None:
        await self._warehouse.flush()
        return None

    async def metrics(self, _request: Request) -> Response:
        """What Prometheus scrapes."""
        return Response(generate_latest(self._registry), headers=_NO_STORE, media_type=CONTENT_TYPE_LATEST)

    async def openapi(self, _request: Request) -> Response:
        """The description of every surface, as OpenAPI."""
        body = await asyncio.to_thread(lambda: self._description.json)
        return Response(body, media_type="application/json", headers=_FOR_ANY_PAGE)


async def _reason(trial: Trial) -> str | None:
    try:
        return await trial()
    except StoreAway as error:
        return str(error)
    except StoreUnavailable:
        return "the last commit failed"
