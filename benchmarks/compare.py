"""This checkout against another one of the same program, in turns on the same machine. See README.md."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated

import httpx
import servers
from cyclopts import App, Parameter
from cyclopts.validators import Number
from load import requests_script, require_wrk, scripted_burst
from msgspec import Struct
from pageviews import AGENTS, EMAIL, HOST, pageviews
from rich.console import Console
from rich.progress import track
from rich.table import Table

CONNECTIONS = 64
FEW_CONNECTIONS = 4
"""For statistics, each of which keeps a processor busy for milliseconds."""
KEYS, COUNTERS = 1_000, 100
BATCHES = 20
"""Of 500 pageviews each, before statistics are asked for."""
LINES = 200_000
STARTS, MEGABYTE = 5, 1_000_000

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="compare.py", help=__doc__)


class Measured(Struct, frozen=True):
    """A kind of request: the script for wrk, and on how many connections."""

    name: str
    script: str
    connections: int = CONNECTIONS


class Checkout:
    """One version of the program, with a data directory of its own.

    Attributes:
        figures: name of a measurement -> what it gave in each round.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self.token = ""
        self.python, self.folder = str(python), folder
        self.name, self.data = folder.name, folder / "data"
        self.figures: dict[str, list[float]] = {}
        folder.mkdir()

    def command(self, *arguments: str, given: str = "") -> str:
        """Run one command on the data directory. Returns its output."""
        command = [self.python, "-m", "tallystick", *arguments, "--data", str(self.data)]
        return subprocess.run(command, check=True, input=given, capture_output=True, text=True).stdout.strip()

    def prepare(self) -> None:
        """Make a data directory with an account, a site and a token."""
        self.command("init")
        self.command("user", "create", "--email", EMAIL, "--password", "-", given="only-for-the-benchmark")
        self.command("site", "create", "--host", HOST, "--email", EMAIL)
        permissions = "count,stats,counters-read,counters-write"
        self.token = self.command("token", "create", "--email", EMAIL, "--name", "bench", "--permissions", permissions)

    def serve(self) -> AbstractContextManager[servers.Process]:
        """Start its server."""
        options = ("--rate-limit", "off", "--trusted-proxy", "127.0.0.1")
        return servers.tallystick(self.data, *options, python=self.python)

    def note(self, name: str, value: float) -> None:
        """Keep one figure."""
        self.figures.setdefault(name, []).append(value)


@app.default
def main(other: Path, *, rounds: AtLeastOne = 5, seconds: AtLeastOne = 3, imports: AtLeastOne = 2) -> None:
    """Measure: about five minutes.

    Args:
        other: the Python of the other checkout's environment, for example ../before/.venv/bin/python.
        rounds: every burst is measured once in each round.
        seconds: of load a burst.
        imports: how often the log is imported.
    """
    require_wrk()
    with servers.working_folder() as folder:
        checkouts = {
            "before": Checkout(other.absolute(), folder / "before"),
            "now": Checkout(Path(sys.executable), folder / "now"),
        }
        for checkout in checkouts.values():
            checkout.prepare()
        _start(checkouts)
        _load(checkouts, _reads, rounds, seconds, "Reads")
        _load(checkouts, _writes, rounds, seconds, "Writes")
        log = _log(folder / "access.log")
        for number in track(range(imports), "Imports"):
            for checkout in _in_turn(checkouts, number):
                _import(checkout, log, number)
    _print(checkouts)


def _start(checkouts: dict[str, Checkout]) -> None:
    for number in track(range(STARTS), "Starts"):
        for checkout in _in_turn(checkouts, number):
            with checkout.serve() as server:
                checkout.note("start, ms", server.started_in * 1e3)
                checkout.note("memory after the start, MB", server.memory / MEGABYTE)


def _load(
    checkouts: dict[str, Checkout],
    loads: Callable[[Checkout, servers.Process], list[Measured]],
    rounds: int,
    seconds: int,
    title: str,
) -> None:
    with ExitStack() as running:
        processes = {name: running.enter_context(checkout.serve()) for name, checkout in checkouts.items()}
        measured = {name: loads(checkout, processes[name]) for name, checkout in checkouts.items()}
        for number in track(range(-1, rounds), title):
            for position in range(len(measured["now"])):
                for checkout in _in_turn(checkouts, number):
                    _burst(checkout, processes[checkout.name], measured[checkout.name][position], seconds, number)
        for name, checkout in checkouts.items():
            checkout.note(f"memory after {title.lower()}, MB", processes[name].memory / MEGABYTE)


def _burst(checkout: Checkout, server: servers.Process, load: Measured, seconds: int, number: int) -> None:
    cpu = server.cpu_seconds
    burst = scripted_burst(server.url, load.script, load.connections, seconds if number >= 0 else 1)
    server.wait_until_moved()  # work of this burst, which must not be counted for the next one either
    if number >= 0:
        checkout.note(f"{load.name}, requests/s", burst.rate)
        checkout.note(f"{load.name}, p99 ms", burst.p99 / 1e3)
        checkout.note(f"{load.name}, us of CPU", (server.cpu_seconds - cpu) / burst.requests * 1e6)


def _in_turn(checkouts: dict[str, Checkout], number: int) -> list[Checkout]:
    listed = list(checkouts.values())
    return listed if number % 2 == 0 else listed[::-1]


def _reads(checkout: Checkout, server: servers.Process) -> list[Measured]:
    """A page and statistics. The statistics are of the same pageviews in both checkouts."""
    authorization = f"Authorization: Bearer {checkout.token}\\n"
    draw = random.Random(2)
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {checkout.token}"}) as client:
        for _ in range(BATCHES):
            client.post("/api/v0/count", json={"hits": pageviews(draw)}, headers={"host": HOST}).raise_for_status()
    return [
        Measured("page", requests_script(checkout.folder / "page.txt", "GET", ["/ HTTP/1.1\\nHost: localhost\\n\\n"])),
        *(
            Measured(
                f"statistics, {report}",
                requests_script(
                    checkout.folder / f"{report}.txt",
                    "GET",
                    [f"/api/v0/stats/{report} HTTP/1.1\\nHost: {HOST}\\n{authorization}\\n"],
                ),
                FEW_CONNECTIONS,
            )
            for report in ("total", "hits", "browsers")
        ),
    ]


def _writes(checkout: Checkout, server: servers.Process) -> list[Measured]:
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {checkout.token}"}) as client:
        uids = [_counter(client, number) for number in range(COUNTERS)]
    draw = random.Random(1)
    end = " HTTP/1.1\\nHost: localhost\\n"
    loads = {
        "hit, one key": ("GET", [f"/hit/bench.example/one{end}\\n"]),
        "hit, 1,000 keys": ("GET", [f"/hit/bench.example/key-{number}{end}\\n" for number in range(KEYS)]),
        "pixel": ("GET", [_pixel(draw, number) for number in range(5_000)]),
        "increment": (
            "POST",
            [f"/v2/counters/{uid}/increment{end}Authorization: Bearer {checkout.token}\\n\\n" for uid in uids],
        ),
    }
    return [
        Measured(name, requests_script(checkout.folder / f"writes-{number}.txt", method, lines))
        for number, (name, (method, lines)) in enumerate(loads.items())
    ]


def _counter(client: httpx.Client, number: int) -> str:
    """Create a shared counter. Returns its id."""
    response = client.post("/v1/counters", json={"displayName": f"Counter {number}", "type": "UpDown", "data": {}})
    response.raise_for_status()
    return str(response.headers["location"].rpartition("/")[2])


def _pixel(draw: random.Random, number: int) -> str:
    visitor = draw.randrange(10_000)
    return (
        f"/count?p=%2Fpage-{draw.randrange(1_000)}&t=Page&s=1920&b=0&rnd={number} HTTP/1.1\\nHost: {HOST}\\n"
        f"User-Agent: {draw.choice(AGENTS)}\\nX-Forwarded-For: 11.0.{visitor // 250}.{visitor % 250 + 1}\\n\\n"
    )


def _log(file: Path) -> Path:
    """A log in the combined format."""
    draw = random.Random(3)
    with file.open("w", encoding="ascii") as stream:
        for number in range(LINES):
            second = number // 4
            moment = (
                f"{1 + second // 86_400:02}/Nov/2026:{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"
            )
            stream.write(
                f"11.1.{number // 250 % 250}.{number % 250} - - [{moment} +0000] "
                f'"GET /page-{draw.randrange(1_000)} HTTP/1.1" 200 512 "-" "{draw.choice(AGENTS)}"\n'
            )
    return file


def _import(checkout: Checkout, log: Path, number: int) -> None:
    """Import the log into a data directory that has no server, as a site of its own."""
    checkout.data = checkout.folder / f"import-{number}"
    checkout.prepare()
    began = time.perf_counter()
    checkout.command("import", str(log), "--format", "combined")
    checkout.note("import, lines/s", LINES / (time.perf_counter() - began))


def _print(checkouts: dict[str, Checkout]) -> None:
    table = Table("median", "before", "now", "ratio", "ratios of single rounds")
    before, now = checkouts["before"].figures, checkouts["now"].figures
    for name, values in now.items():
        old, new = median(before[name]), median(values)
        ratios = sorted(mine / theirs for mine, theirs in zip(values, before[name], strict=True))
        table.add_row(name, f"{old:,.1f}", f"{new:,.1f}", f"{new / old:.2f}", f"{ratios[0]:.2f}-{ratios[-1]:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    app()
