"""Small applications to compare Tallystick with, on the same HTTP server, each in its own process.

python benchmarks/apps.py echo
python benchmarks/apps.py redis PORT
"""

import asyncio
import signal
import sys
from typing import Any

import uvloop

from tallystick.cli.serve import calm_garbage_collector, http_server
from tallystick.cli.support.listening import free_address
from tallystick.settings import Listen
from tallystick.web.asgi import AsgiApp, Receive, Scope, Send

HEADERS = ((b"content-type", b"application/json; charset=utf-8"),)
BODY = b'{"value":1000000}'


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send the smallest useful response: a fixed body of the size that a count has, after the request's body."""
    if scope["method"] == "POST":
        while (await receive()).get("more_body"):
            pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


def incrementing(port: int) -> AsgiApp:
    """A typical counter on Redis: one INCR for each request, the path as its key."""
    from redis.asyncio import Redis  # noqa: PLC0415  # the extra "bench"; the echo does without

    # One connection a request at once: measured faster than a small pool that requests wait for.
    client: Any = Redis(port=port, max_connections=1_024)

    async def increment(scope: Scope, _receive: Receive, send: Send) -> None:
        value = await client.incr(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b'{"value":%d}' % value})

    return increment


async def _serve(application: AsgiApp) -> None:
    listen = free_address(Listen("127.0.0.1", 0))
    server = http_server(application, listen)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    calm_garbage_collector()
    print(f"listens at http://{listen}", flush=True)
    await server.serve()


def main(name: str, *arguments: str) -> None:
    """Serve one of the applications until SIGTERM."""
    uvloop.run(_serve(echo if name == "echo" else incrementing(int(arguments[0]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
