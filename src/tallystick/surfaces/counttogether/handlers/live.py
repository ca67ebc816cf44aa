"""Where live connections are asked for in the wrong way."""

from tallystick.surfaces.counttogether.answers import Answer
from tallystick.surfaces.counttogether.calling import Call, Services
from tallystick.surfaces.counttogether.errors import UPGRADE, ApiRefused


async def without_upgrade(_services: Services, _call: Call) -> Answer:
    """A WebSocket's address, asked without wanting one."""
    msg = "this is a WebSocket; ask for it with Upgrade: websocket, or read /v1/events"
    raise ApiRefused(UPGRADE, msg, ((b"upgrade", b"websocket"), (b"connection", b"upgrade")))
