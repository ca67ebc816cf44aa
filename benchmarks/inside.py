"""Processor time of requests inside the server's process, without sockets. See README.md."""

import os
import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network
from itertools import cycle
from pathlib import Path

import apps
import counters
import pageviews
import servers
import shared
import sharing
import uvloop
from cyclopts import App
from load import AGENT, BROWSER
from msgspec import Struct
from report import machine
from rich.console import Console
from rich.table import Table
from unplugged import Client, Responses

from tallystick.app import Application
from tallystick.cli.serve import calm_garbage_collector
from tallystick.server.connection import Connection
from tallystick.server.http_server import HttpServer
from tallystick.server.limits import ConnectionCounts, ConnectionLimits
from tallystick.settings import Settings
from tallystick.web.rate_limit import Rate

CONNECTIONS = (64, 256)
PARTS, REQUESTS = 12, 6_000
"""The least of so many parts counts, each of so many requests: other programs can only make a part dearer."""
KEYS = 10_000
app = App(name="inside.py", help=__doc__)


class Kind(Struct, frozen=True):
    """A kind of request: its server with what it counts, and requests that are sent in turn."""

    name: str
    server: HttpServer
    counts: ConnectionCounts
    requests: Sequence[bytes]


class Cost(Struct, frozen=True):
    """Microseconds a request: of all threads, and of the event loop's."""

    requests: int
    process: float
    loop: float


@app.default
def main() -> None:
    """Measure: about a minute."""
    console = Console(width=120)
    console.print(machine())
    with servers.working_folder() as folder:
        uvloop.run(_measure(console, folder / "data"))
    # A normal exit would make DuckDB's bindings print objects that Python has not released.
    sys.stdout.flush()
    os._exit(0)


async def _measure(console: Console, data: Path) -> None:
    pageviews.prepare(data)
    made = shared.prepare(data)
    counters.create(None, data, [counters.HOT, *counters.numbered(KEYS)])
    settings = Settings(data=data, trusted_proxy=(ip_network("127.0.0.1"),), rate_limit=(Rate("", None, 0),))
    application = await Application.open(settings)
    try:
        table = Table(title="Processor time of a request, µs", title_justify="left")
        for column in ("what", "connections", "all threads", "event loop", "in the hot lane"):
            table.add_column(column, justify="left" if column == "what" else "right")
        calm_garbage_collector()
        for kind in _kinds(application, made):
            for connections in CONNECTIONS:
                hot = kind.counts.hot
                costs = await _costs(kind, connections)
                hot = (kind.counts.hot - hot) / sum(cost.requests for cost in costs)
                process, loop = min(cost.process for cost in costs), min(cost.loop for cost in costs)
                table.add_row(kind.name, str(connections), f"{process:.1f}", f"{loop:.1f}", f"{hot:.0%}")
        console.print(table)
        if left := application.connection_counts.left:
            console.print(f"Requests that left the hot lane, by reason: {dict(left)}")
    finally:
        await application.close()


def _kinds(application: Application, made: shared.Shared) -> Iterable[Kind]:
    product = application.http_server(ConnectionLimits())
    counts, lane_counts, echo_counts = application.connection_counts, ConnectionCounts(), ConnectionCounts()
    lane, echo = apps.lane_server(lane_counts), apps.lane_server(echo_counts, lanes=())
    hot, end = f"/hit/{counters.HOT}", " HTTP/1.1\\nHost: localhost\\n"
    browser = "".join(f"{name}: {value}\\n" for name, value in (BROWSER | {"User-Agent": AGENT}).items())
    yield Kind("echo, application", echo, echo_counts, _requests("GET", [f"{hot}{end}\\n"]))
    yield Kind("echo, hot lane", lane, lane_counts, _requests("GET", [f"{hot}{end}\\n"]))
    yield Kind("echo, hot lane, a browser's headers", lane, lane_counts, _requests("GET", [f"{hot}{end}{browser}\\n"]))
    yield Kind("hit", product, counts, _requests("GET", [f"{hot}{end}\\n"]))
    yield Kind("hit, a browser's headers", product, counts, _requests("GET", [f"{hot}{end}{browser}\\n"]))
    many = [f"/hit/{key.namespace}/{key.key}{end}\\n" for key in counters.numbered(KEYS)]
    yield Kind(f"hit, {KEYS:,} keys", product, counts, _requests("GET", random.sample(many, KEYS)))
    yield Kind("get", product, counts, _requests("GET", [f"/get/{counters.HOT}{end}\\n"]))
    yield Kind("pixel", product, counts, _requests("GET", pageviews.pixels("")))
    yield Kind("pixel, a browser's headers", product, counts, _requests("GET", pageviews.pixels(pageviews.IMAGE)))
    yield Kind("increment", product, counts, _requests("POST", sharing.increments(made.hot)))
    members = sharing.increments(random.sample(made.many, len(made.many)))
    yield Kind(f"increment, {shared.MANY:,} counters", product, counts, _requests("POST", members))


def _requests(method: str, lines: Iterable[str]) -> list[bytes]:
    """Requests that are written for wrk."""
    return [f"{method} {line}".replace("\\n", "\r\n").encode() for line in lines]


async def _costs(kind: Kind, connections: int) -> list[Cost]:
    """Send requests on all connections at once, again and again."""
    responses, requests = Responses(), cycle(kind.requests)
    opened = [kind.server._connection() for _ in range(connections)]  # noqa: SLF001  # no socket makes one
    for connection in opened:
        connection.connection_made(Client(responses))
    costs = [await _part(opened, responses, requests) for _ in range(PARTS)]
    for connection in opened:
        connection.connection_lost(None)
    return costs


async def _part(opened: Sequence[Connection], responses: Responses, requests: Iterator[bytes]) -> Cost:
    process, loop, sent = time.process_time(), time.thread_time(), 0
    while sent < REQUESTS:
        answered = responses.expect(len(opened))
        for connection in opened:
            connection.data_received(next(requests))
        await answered
        sent += len(opened)
    return Cost(sent, (time.process_time() - process) / sent * 1e6, (time.thread_time() - loop) / sent * 1e6)


if __name__ == "__main__":
    app()
