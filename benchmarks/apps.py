"""Small applications to compare Tallystick with, each in its own process.

python benchmarks/apps.py echo            an empty ASGI application on granian: the yardstick
python benchmarks/apps.py lane            the product's own HTTP server with a hot lane that answers at once
python benchmarks/apps.py redis PORT      a counter on Redis, on granian
"""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterable
from typing import Any

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from tallystick.cli.serve import calm_garbage_collector
from tallystick.server.hot_lane import Answer, HotRequest, header_lines, with_length
from tallystick.server.http_server import HttpServer
from tallystick.server.limits import ConnectionCounts, ConnectionLimits
from tallystick.web.asgi import AsgiApp, Receive, Scope, Send

HEADERS = ((b"content-type", b"application/json; charset=utf-8"),)
BODY = b'{"value":1000000}'
BACKLOG = 4_096
REQUESTS_AT_ONCE = 16_384
ANSWER: Answer = (200, with_length(header_lines(HEADERS), BODY), BODY)
LANES = (b"/hit/", b"/count", b"/v1/counters/")
"""What the benchmarks request: hits, pixels, increments."""


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send the smallest useful response: a fixed body of the size that a count has, after the request's body."""
    if scope["method"] == "POST":
        while (await receive()).get("more_body"):
            pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


def incrementing(port: int) -> AsgiApp:
    """A typical counter on Redis: one INCR for each request, the path as its key."""
    from redis.asyncio import Redis  # noqa: PLC0415  # the echo does without

    # One connection a request at once: measured faster than a small pool that requests wait for.
    client: Any = Redis(port=port, max_connections=1_024)

    async def increment(scope: Scope, _receive: Receive, send: Send) -> None:
        value = await client.incr(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b'{"value":%d}' % value})

    return increment


class EchoLane:
    """Answers every request at once, with the body of the echo."""

    def take(self, request: HotRequest) -> str | None:  # noqa: D102  # HotLane explains
        request.respond(ANSWER)
        return None

    def answer(self, request: HotRequest, result: Any) -> Answer:  # noqa: ANN401, ARG002, D102
        return ANSWER

    def refuse(self, request: HotRequest, error: Exception) -> Answer:  # noqa: ARG002, D102
        return ANSWER


def lane_server(counts: ConnectionCounts, lanes: Iterable[bytes] = LANES) -> HttpServer:
    """The product's own server, with the echo lane for some prefixes and the ASGI echo for everything else."""
    return HttpServer(
        echo,
        lanes=dict.fromkeys(lanes, EchoLane()),
        refusal_answer=lambda _path, refusal: (refusal.status, with_length(b"", b""), b""),
        limits=ConnectionLimits(),
        counts=counts,
    )


async def serve_lane() -> None:
    """Serve the echo lane until SIGTERM."""
    server = lane_server(ConnectionCounts())
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    calm_garbage_collector()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        await server.start([bound])
        print(f"listens at http://127.0.0.1:{bound.getsockname()[1]}", flush=True)
        await stopping.wait()
        await server.stop(within=1)


async def serve_by_granian(application: AsgiApp) -> None:
    """Serve an ASGI application by granian, embedded in this event loop, until SIGTERM."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    server = Server(
        application,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=BACKLOG,
        backpressure=REQUESTS_AT_ONCE,
        log_enabled=False,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    calm_garbage_collector()
    print(f"listens at http://127.0.0.1:{port}", flush=True)
    await server.serve()


def main(name: str, *arguments: str) -> None:
    """Serve one of the applications until SIGTERM."""
    if name == "lane":
        uvloop.run(serve_lane())
    else:
        uvloop.run(serve_by_granian(echo if name == "echo" else incrementing(int(arguments[0]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
