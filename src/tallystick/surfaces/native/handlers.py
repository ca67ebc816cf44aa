"""Health, metrics and the served API description."""

import asyncio

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tallystick.errors import LedgerUnavailable
from tallystick.ledger import Ledger
from tallystick.surfaces.native.metrics import metrics_registry
from tallystick.surfaces.native.openapi import Description
from tallystick.web.traffic import Traffic

_NO_STORE = {"cache-control": "no-store"}
_FOR_ANY_PAGE = {"access-control-allow-origin": "*", "cache-control": "no-cache"}


class Native:
    """The handlers of our own API."""

    def __init__(self, ledger: Ledger, traffic: Traffic, description: Description) -> None:
        self._ledger, self._description = ledger, description
        self._registry = metrics_registry(ledger, traffic)

    async def live(self, _request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"status": "live"}, headers=_NO_STORE)

    async def ready(self, _request: Request) -> Response:
        """Counting works: the last commit succeeded and the queue is not full."""
        reason = await self._why_not_ready()
        if reason is None:
            return JSONResponse({"status": "ready"}, headers=_NO_STORE)
        return JSONResponse({"status": "unavailable", "reason": reason}, 503, headers=_NO_STORE)

    async def _why_not_ready(self) -> str | None:
        """None when ready. Anyone may ask, so what the database says stays in the log."""
        if self._ledger.full:
            return "the queue is full"
        if any(writer.last_failed for writer in self._ledger.measurements):
            # A server from which a load balancer took all traffic must find out that it has recovered.
            try:
                await self._ledger.flush()
            except LedgerUnavailable:
                return "the last commit failed"
        return None

    async def metrics(self, _request: Request) -> Response:
        """What Prometheus scrapes."""
        return Response(generate_latest(self._registry), headers=_NO_STORE, media_type=CONTENT_TYPE_LATEST)

    async def openapi(self, _request: Request) -> Response:
        """The description of every surface, as OpenAPI."""
        body = await asyncio.to_thread(lambda: self._description.json)
        return Response(body, media_type="application/json", headers=_FOR_ANY_PAGE)
