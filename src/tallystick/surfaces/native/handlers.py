"""Health, metrics and the served API description."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tallystick.errors import LedgerUnavailable
from tallystick.ledger import Ledger
from tallystick.surfaces.native.metrics import metrics_registry
from tallystick.surfaces.native.openapi import openapi_json
from tallystick.web.traffic import Traffic

_NO_STORE = {"cache-control": "no-store"}


class Native:
    """The handlers of our own API."""

    def __init__(self, ledger: Ledger, traffic: Traffic) -> None:
        self._ledger = ledger
        self._registry = metrics_registry(ledger, traffic)

    async def live(self, _request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"status": "live"}, headers=_NO_STORE)

    async def ready(self, _request: Request) -> Response:
        """Counting works: the last commit succeeded and the queue is not full.

        After a failure a commit is tried here, so that a server from which a load balancer took all
        traffic finds out that it has recovered.
        """
        reason = None
        if self._ledger.full:
            reason = "the queue is full"
        elif any(writer.last_failed for writer in self._ledger.measurements):
            try:
                await self._ledger.flush()
            except LedgerUnavailable as error:
                reason = str(error)
        if reason is None:
            return JSONResponse({"status": "ready"}, headers=_NO_STORE)
        return JSONResponse({"status": "unavailable", "reason": reason}, 503, headers=_NO_STORE)

    async def metrics(self, _request: Request) -> Response:
        """What Prometheus scrapes."""
        return Response(generate_latest(self._registry), headers=_NO_STORE, media_type=CONTENT_TYPE_LATEST)

    async def openapi(self, _request: Request) -> Response:
        """The description of every surface, as OpenAPI."""
        return Response(openapi_json(), media_type="application/json", headers={"access-control-allow-origin": "*"})
