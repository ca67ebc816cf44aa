"""Processor time of badges beside that of reading and counting the same counter, without sockets. See README.md."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import count, repeat
from pathlib import Path
from typing import NamedTuple

import counters
import servers
import uvloop
from cyclopts import App
from report import machine
from rich.console import Console
from rich.table import Table
from unplugged import Client, Responses

from tallystick.app import Application
from tallystick.cli.serve import calm_garbage_collector
from tallystick.server.connection import Connection
from tallystick.server.limits import ConnectionLimits
from tallystick.settings import Settings
from tallystick.web.rate_limit import Rate

CONNECTIONS, PARTS = 64, 4
"""The least of so many parts counts: other programs can only make a part dearer."""
READ = "get"
"""The yardstick."""
app = App(name="badges.py", help=__doc__)


class Asked(NamedTuple):
    """A kind of request.

    Attributes:
        times: how often each connection asks in a part.
        differs: whether each request has a label of its own, so that its badge is drawn.
    """

    name: str
    path: str
    times: int
    differs: bool = False


ASKED = (
    Asked(READ, f"/get/{counters.HOT}", 50),
    Asked("badge, kept", f"/badge/{counters.HOT}.svg", 20),
    Asked("badge as JSON, kept", f"/badge/{counters.HOT}.json", 20),
    Asked("badge of 7 days with their line, kept", f"/badge/{counters.HOT}.svg?since=7d&sparkline", 10),
    Asked("badge, drawn", f"/badge/{counters.HOT}.svg?label=", 4, differs=True),
    Asked("badge as PNG, drawn", f"/badge/{counters.HOT}.png?label=", 1, differs=True),
    Asked("hit", f"/hit/{counters.HOT}", 20),
    Asked("badge that counts, drawn", f"/badge/{counters.HOT}.svg?count", 4),
)


@app.default
def main() -> None:
    """Measure: some seconds."""
    console = Console(width=120)
    console.print(machine())
    with servers.working_folder() as folder:
        (folder / "data").mkdir()
        uvloop.run(_measure(console, folder / "data"))
    # A normal exit would make DuckDB's bindings print objects that Python has not released.
    sys.stdout.flush()
    os._exit(0)


async def _measure(console: Console, data: Path) -> None:
    counters.create(None, data, [counters.HOT])
    application = await Application.open(Settings(data=data, rate_limit=(Rate("", None, 0),)))
    try:
        server = application.http_server(ConnectionLimits())
        responses = Responses()
        opened = [server._connection() for _ in range(CONNECTIONS)]  # noqa: SLF001  # no socket makes one
        for connection in opened:
            connection.connection_made(Client(responses))
        table = Table(title=f"Processor time of a request, {CONNECTIONS} connections", title_justify="left")
        for column in ("what", "µs, all threads", "of get"):
            table.add_column(column, justify="left" if column == "what" else "right")
        calm_garbage_collector()
        read = 0.0
        for asked in ASKED:
            requests = _requests(asked)
            cost = min([await _part(opened, responses, requests, asked.times) for _ in range(PARTS)])
            read = read or cost
            table.add_row(asked.name, f"{cost:,.0f}", f"{cost / read:.1f}")
        console.print(table)
        for connection in opened:
            connection.connection_lost(None)
    finally:
        await application.close()


def _requests(asked: Asked) -> Iterator[bytes]:
    numbers = map(str, count()) if asked.differs else repeat("")
    return (f"GET {asked.path}{number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for number in numbers)


async def _part(opened: Sequence[Connection], responses: Responses, requests: Iterator[bytes], times: int) -> float:
    """Microseconds a request."""
    began = time.process_time()
    for _ in range(times):
        answered = responses.expect(len(opened))
        for connection in opened:
            connection.data_received(next(requests))
        await asyncio.wait_for(answered, 60)
    return (time.process_time() - began) / (times * len(opened)) * 1e6


if __name__ == "__main__":
    app()
