"""A throw-away surface: pageviews at ``/api/send``, public counters and a WebSocket below ``/v1/things``."""

from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tallystick.model.key import Key
from tallystick.services.ingest.arrival import Arrival
from tallystick.services.services import Services
from tallystick.warehouse import Stored
from tallystick.web.address import host_of
from tallystick.web.asgi import CountedApp
from tallystick.web.rate_limit import Rate
from tallystick.web.surface import Kit, Surface, SurfaceApps

NAME = "things"
LIMITED = "too many things"


class Things:
    """The handlers."""

    def __init__(self, services: Services, kit: Kit) -> None:
        self._services, self._kit = services, kit

    async def send(self, request: Request) -> Response:
        """Count a pageview of the site that the Host names."""
        sent = await request.json()
        site = await self._services.sites.at(host_of(request.scope))
        arrival = Arrival(
            path=sent["url"],
            agent=request.headers["user-agent"],
            address=self._kit.addresses.of(request.scope),
            direct=True,
            received=self._services.ledger.clock() // 1000,
        )
        result = await self._services.ingest.record_one(site, arrival)
        return Response(status_code=202 if isinstance(result, Stored) else 400)

    async def add(self, request: Request) -> Response:
        """Add 1 to a public counter, within the limit."""
        if not self._kit.limits.admit_address(NAME, self._kit.addresses.of(request.scope)).admitted:
            self._kit.traffic.refused(NAME, LIMITED)
            return JSONResponse({"error": LIMITED}, 429)
        counting = self._services.counting
        outcome = await counting.add(Key(NAME, request.path_params["name"]), counting.hit)
        return JSONResponse({"value": outcome.value})

    async def greet(self, socket: WebSocket) -> None:
        """Say one word and close."""
        await socket.accept()
        await socket.send_text("things")
        await socket.close()


def build(services: Services, kit: Kit) -> SurfaceApps:
    """The surface's ASGI applications."""
    things = Things(services, kit)
    http = Starlette(
        routes=[
            Route("/api/send", things.send, methods=["POST"]),
            Route("/v1/things/{name}", things.add, methods=["POST"]),
        ]
    )
    return SurfaceApps(
        CountedApp(http, NAME, kit.traffic), Starlette(routes=[WebSocketRoute("/v1/things/ws", things.greet)])
    )


SURFACE = Surface(
    name=NAME,
    prefixes=("/api/send", "/v1/things"),
    build=build,
    rates=(Rate(NAME, 100, 60, "things, per address"),),
    reasons=frozenset({LIMITED}),
    openapi=files(__name__) / "openapi.yaml",
)
