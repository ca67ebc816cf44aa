"""WebSockets as an ASGI application."""

from contextlib import suppress

from tallystick.surfaces.counttogether.realtime.channel import Channel
from tallystick.surfaces.counttogether.realtime.sockets import Sockets
from tallystick.surfaces.counttogether.responses import send_dressed
from tallystick.web.answers import ApiResponse
from tallystick.web.asgi import Message, Receive, Scope, Send

DENIAL = "websocket.http.response"
"""The ASGI extension for refusing an upgrade with an HTTP response."""


class AsgiSockets:
    """Every WebSocket, as an ASGI application."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket."""
        await receive()  # websocket.connect
        try:
            socket = await self._sockets.open(scope, receive)
        except Exception as error:  # noqa: BLE001  # errors become responses in one place
            with suppress(OSError):  # the client has disconnected
                await _deny(self._sockets.denial(error), scope, send)
            return
        channel = Channel(receive, send)
        try:
            await channel.accept()
            if socket.subscription is not None:
                scope.clear()  # nothing reads it any more, and it takes more memory than everything else here
            await self._sockets.run(socket, channel)
        except OSError:
            return  # the client has disconnected before it was accepted
        finally:
            self._sockets.end(socket)


async def _deny(response: ApiResponse, scope: Scope, send: Send) -> None:
    if DENIAL not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1000})
        return

    async def deny(message: Message) -> None:
        await send({**message, "type": message["type"].replace("http.response", DENIAL)})

    await send_dressed(response, (), b"", {**scope, "method": "GET"}, deny)
