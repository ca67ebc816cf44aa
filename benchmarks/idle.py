"""Memory of idle connections: keep-alive ones, and WebSockets. See README.md."""

import asyncio
import resource
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from http.client import HTTPResponse
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import servers
import shared
import uvloop
from cyclopts import App, Parameter
from cyclopts.validators import Number
from listeners import UPGRADE, Crowd
from msgspec import Struct
from report import machine
from rich.console import Console
from rich.table import Table

AT_ONCE = 100
"""Connections that are opened, or asked, together."""
FIRST = 100
"""Connections before memory is measured: what the first ones load is not theirs."""
SETTLES_IN_S = 1.0
WAITS_S = 60.0
KINDS = {"hit": "/hit/bench.example/idle", "page": "/"}
"""By what each connection requests first: answered in the hot lane, and by the application."""
PINGED_FOR_S = 45.0
"""The server pings WebSockets every 20 seconds."""

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="idle.py", help=__doc__)


class Idle(Struct, frozen=True):
    """Cost of connections that were opened: bytes of memory for each, seconds."""

    kind: str
    amount: int
    memory: float
    opened_in: float


@app.default
def main(*, connections: AtLeastOne = 10_000, sockets: AtLeastOne = 5_000, before: Path | None = None) -> None:
    """Measure: a minute and a half.

    Args:
        connections: how many keep-alive connections are opened.
        sockets: how many WebSockets.
        before: the Python of another checkout's environment, to measure its keep-alive connections, too.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    console = Console()
    console.print(machine())
    table = Table("idle after", "connections", "KB each", "opened in s")
    with servers.working_folder() as folder:
        for kind, path in KINDS.items():
            _add(table, _keep_alive(kind, path, folder / kind, connections))
            if before:
                _add(table, _keep_alive(f"{kind}, before", path, folder / f"{kind}-before", connections, str(before)))
        _add(table, _websockets(folder / "sockets", sockets))
    console.print(table)


def _add(table: Table, idle: Idle) -> None:
    table.add_row(idle.kind, f"{idle.amount:,}", f"{idle.memory / 1000:.1f}", f"{idle.opened_in:.1f}")


def _keep_alive(kind: str, path: str, data: Path, amount: int, python: str = sys.executable) -> Idle:
    """Measure on a server that has just been started: memory that was used once is seldom given back."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with servers.tallystick(data, "--rate-limit", "off", python=python) as server:
        clients: list[socket.socket] = []
        try:
            clients += _opened(server.url, request, FIRST)
            time.sleep(SETTLES_IN_S)
            before, began = server.memory, time.perf_counter()
            clients += _opened(server.url, request, amount)
            opened_in = time.perf_counter() - began
            time.sleep(SETTLES_IN_S)
            memory = (server.memory - before) / amount
            _ask(clients, request)
            return Idle(kind, amount, memory, opened_in)
        finally:
            for client in clients:
                client.close()


def _websockets(data: Path, amount: int) -> Idle:
    _, token = shared.prepare(data).hot[0]
    with servers.tallystick(data, "--rate-limit", "off") as server:
        return uvloop.run(_pinged(server, UPGRADE.format(token=token), amount))


async def _pinged(server: servers.Process, request: str, amount: int) -> Idle:
    crowd = Crowd()
    await crowd.join(server.url, request, FIRST)
    await asyncio.sleep(SETTLES_IN_S)
    before, began = server.memory, time.perf_counter()
    await crowd.join(server.url, request, amount)
    opened_in = time.perf_counter() - began
    await asyncio.sleep(PINGED_FOR_S)
    memory = (server.memory - before) / amount
    async with httpx.AsyncClient() as client:
        metrics = (await client.get(f"{server.url}/metrics")).text
    assert f'tallystick_connections{{kind="websocket"}} {amount + FIRST}.0' in metrics, "WebSockets were closed"
    crowd.leave()
    return Idle("WebSocket, pinged", amount, memory, opened_in)


def _opened(url: str, request: bytes, amount: int) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    for done in range(0, amount, AT_ONCE):
        group = [
            socket.create_connection((parts.hostname, parts.port), WAITS_S) for _ in range(min(AT_ONCE, amount - done))
        ]
        yield from group
        _ask(group, request)


def _ask(clients: Sequence[socket.socket], request: bytes) -> None:
    """Send a request on each and read the responses. A connection that was closed raises an error."""
    for first in range(0, len(clients), AT_ONCE):
        group = clients[first : first + AT_ONCE]
        for client in group:
            client.sendall(request)
        for client in group:
            response = HTTPResponse(client)
            response.begin()
            response.read()
            response.close()
            assert response.status == HTTPStatus.OK, response.status


if __name__ == "__main__":
    app()
