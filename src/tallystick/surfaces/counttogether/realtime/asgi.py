"""WebSockets of the main port."""

from tallystick.surfaces.counttogether.realtime.channel import AsgiChannel
from tallystick.surfaces.counttogether.realtime.sockets import Sockets
from tallystick.surfaces.counttogether.responses import send_dressed
from tallystick.web.answers import ApiResponse
from tallystick.web.asgi import Message, Receive, Scope, Send

DENIAL = "websocket.http.response"
"""The ASGI extension for refusing an upgrade with an HTTP response."""


class AsgiSockets:
    """Every WebSocket of the main port, as an ASGI application."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket."""
        await receive()  # websocket.connect
        try:
            # A client that disconnects before it is accepted goes unnoticed: granian does not report it.
            socket = await self._sockets.open(scope)
        except Exception as error:  # noqa: BLE001  # errors become responses in one place
            await _deny(self._sockets.denial(error), scope, send)
            return
        try:
            await send({"type": "websocket.accept"})
            await self._sockets.run(socket, AsgiChannel(receive, send))
        finally:
            self._sockets.end(socket)


async def _deny(response: ApiResponse, scope: Scope, send: Send) -> None:
    if DENIAL not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1000})
        return

    async def deny(message: Message) -> None:
        await send({**message, "type": message["type"].replace("http.response", DENIAL)})

    await send_dressed(response, (), b"", {**scope, "method": "GET"}, deny)
