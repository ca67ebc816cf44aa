"""Health, metrics and the served API description."""

import asyncio

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tallystick.services.services import Services
from tallystick.surfaces.native.metrics import metrics_registry
from tallystick.web.surface import Kit

_NO_STORE = {"cache-control": "no-store"}
_NOT_READY = {**_NO_STORE, "retry-after": "5"}
_FOR_ANY_PAGE = {"access-control-allow-origin": "*", "cache-control": "no-cache"}


class Native:
    """The handlers of our own API."""

    def __init__(self, services: Services, kit: Kit) -> None:
        self._readiness, self._clock, self._tasks = services.readiness, services.clock, services.tasks
        self._numbers = services.counter_numbers
        self._description, self._registry = kit.description, metrics_registry(services, kit.traffic, kit.connections)

    async def live(self, _request: Request) -> Response:
        """200 as long as the process responds."""
        return JSONResponse({"status": "live"}, headers=_NO_STORE)

    async def ready(self, _request: Request) -> Response:
        """200 if the last commit of every lane succeeded and pending writes are committed soon; else 503."""
        reason = await self._readiness.reason()
        if reason is None:
            problems = {"clock": self._clock.problem, "tasks": self._tasks.problems}
            body = {"status": "ready"} | {name: problem for name, problem in problems.items() if problem}
            return JSONResponse(body, headers=_NO_STORE)
        return JSONResponse({"status": "unavailable", "reason": reason}, 503, headers=_NOT_READY)

    async def metrics(self, _request: Request) -> Response:
        """The metrics, in the text format of Prometheus."""
        await self._numbers.look()
        return Response(generate_latest(self._registry), headers=_NO_STORE, media_type=CONTENT_TYPE_LATEST)

    async def openapi(self, _request: Request) -> Response:
        """The description of every surface, as OpenAPI."""
        body = await asyncio.to_thread(lambda: self._description.json)
        return Response(body, media_type="application/json", headers=_FOR_ANY_PAGE)
