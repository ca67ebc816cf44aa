"""Memory of idle keep-alive connections. See README.md."""

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

import servers
from cyclopts import App, Parameter
from cyclopts.validators import Number
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

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="idle.py", help=__doc__)


class Idle(Struct, frozen=True):
    """Bytes of memory for each connection, and seconds to open all and to ask all of them again."""

    where: str
    memory: float
    opened_in: float
    again_in: float


@app.default
def main(*, connections: AtLeastOne = 10_000, before: Path | None = None) -> None:
    """Measure: half a minute.

    Args:
        connections: how many are opened.
        before: the Python of another checkout's environment, to measure that one, too.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    console = Console()
    console.print(machine())
    table = Table(title=f"{connections:,} idle connections", title_justify="left")
    for column in ("first request", "KB each", "opened in s", "all asked again in s"):
        table.add_column(column, justify="right")
    with servers.working_folder() as folder:
        for kind, path in KINDS.items():
            idles = [_measured(kind, path, folder / kind, connections)]
            if before:
                idles.append(_measured(f"{kind}, before", path, folder / f"{kind}-before", connections, str(before)))
            for idle in idles:
                table.add_row(idle.where, f"{idle.memory / 1000:.1f}", f"{idle.opened_in:.1f}", f"{idle.again_in:.1f}")
    console.print(table)


def _measured(where: str, path: str, data: Path, amount: int, python: str = sys.executable) -> Idle:
    """Measure on a server that has just been started: memory that was used once is seldom given back."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with servers.tallystick(data, "--rate-limit", "off", python=python) as server:
        clients: list[socket.socket] = []
        try:
            clients += _opened(server.url, request, FIRST)
            time.sleep(SETTLES_IN_S)
            before, began = server.memory, time.perf_counter()
            clients += _opened(server.url, request, amount - FIRST)
            opened_in = time.perf_counter() - began
            time.sleep(SETTLES_IN_S)
            memory = (server.memory - before) / (amount - FIRST)
            began = time.perf_counter()
            _ask(clients, request)
            return Idle(where, memory, opened_in, time.perf_counter() - began)
        finally:
            for client in clients:
                client.close()


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
