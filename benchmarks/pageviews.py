"""Durable pageviews against an empty echo: the pixel, and batches of 500 through the API. See README.md."""

import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated

import duckdb
import msgspec
import servers
from cyclopts import App, Parameter
from cyclopts.validators import Number
from disk import flush_microseconds
from load import Burst, requests_script, require_wrk, scripted_burst
from msgspec import Struct
from report import machine
from rich.console import Console
from rich.progress import track
from rich.table import Table

PATHS, REFERRERS, VISITORS = 1_000, 200, 10_000
REQUESTS = 5_000
"""Different requests that one burst draws from."""
BODIES, HITS_IN_BODY = 20, 500
PIXEL_CONNECTIONS = (1, 64, 256)
BATCH_CONNECTIONS = (1, 4)
HOST = "stats.example.com"
EMAIL = "bench@example.com"
AGENTS = tuple(
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "Macintosh; Intel Mac OS X 10_15_7")
    for version in range(100, 140)
)

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="pageviews.py", help=__doc__)


class Sample(Struct, frozen=True):
    """One measurement; ``hits`` is how many a request holds, ``memory`` the server's resident bytes after it."""

    name: str
    connections: int
    round: int
    hits: int
    burst: Burst
    cpu_microseconds: float
    memory: int


@app.default
def main(*, rounds: AtLeastOne = 4, seconds: AtLeastOne = 2, json: Path | None = None) -> None:
    """Measure: about two minutes.

    Args:
        rounds: every target is measured once in each round.
        seconds: of load a measurement.
        json: a file for every single measurement.
    """
    require_wrk()
    samples: list[Sample] = []
    flushes: list[float] = []
    with servers.working_folder() as folder:
        token = _prepared(folder / "data")
        scripts = {1: _pixel_script(folder), HITS_IN_BODY: _batch_script(folder, token)}
        with ExitStack() as running:
            echo = running.enter_context(servers.application(folder / "echo", "echo"))
            options = ("--rate-limit", "off", "--trusted-proxy", "127.0.0.1")
            server = running.enter_context(servers.tallystick(folder / "data", *options))
            for number in track(range(-1, rounds), "Measuring"):
                flushes.append(flush_microseconds(folder))
                samples += _round(number, seconds if number >= 0 else 1, scripts, {"echo": echo, "count": server})
        counted = stored(folder / "data")
    _print(samples, flushes)
    exact = _print_stored(samples, counted)
    if json:
        json.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": machine(), "samples": samples})))
    sys.exit(0 if exact else 1)


def _prepared(data: Path) -> str:
    """A site and a token on a new data directory."""
    _command(data, "init")
    _command(data, "user", "create", "--email", EMAIL, "--password", "-", given="only-for-the-benchmark")
    _command(data, "site", "create", "--host", HOST, "--email", EMAIL)
    return _command(data, "token", "create", "--email", EMAIL, "--name", "bench", "--permissions", "count")


def _command(data: Path, *arguments: str, given: str = "") -> str:
    command = [sys.executable, "-m", "tallystick", *arguments, "--data", str(data)]
    return subprocess.run(command, check=True, input=given, capture_output=True, text=True).stdout.strip()


def _round(
    number: int, seconds: int, scripts: dict[int, str], processes: dict[str, servers.Process]
) -> Iterator[Sample]:
    in_turn = list(processes.items())
    for hits, connections in ((1, PIXEL_CONNECTIONS), (HITS_IN_BODY, BATCH_CONNECTIONS)):
        for many in connections:
            for name, process in in_turn if number % 2 == 0 else in_turn[::-1]:
                cpu = process.cpu_seconds
                measured = scripted_burst(process.url, scripts[hits], many, seconds)
                cpu = (process.cpu_seconds - cpu) / (measured.requests * hits) * 1e6
                yield Sample(name, many, number, hits, measured, cpu, process.memory)


def _pixel_script(folder: Path) -> str:
    draw = random.Random(1)
    lines = (
        f"/count?p=%2Fpage-{draw.randrange(PATHS)}&t=Page&s=1920&b=0&rnd={number}{_referrer(draw)} HTTP/1.1\\n"
        f"Host: {HOST}\\nUser-Agent: {draw.choice(AGENTS)}\\nX-Forwarded-For: {_address(draw)}\\n\\n"
        for number in range(REQUESTS)
    )
    return requests_script(folder / "pixel.txt", "GET", lines)


def _referrer(draw: random.Random) -> str:
    return f"&r=https%3A%2F%2Fwww.example.org%2Ffrom-{draw.randrange(REFERRERS)}" if draw.random() < 0.5 else ""


def _address(draw: random.Random) -> str:
    visitor = draw.randrange(VISITORS)
    return f"11.0.{visitor // 250}.{visitor % 250 + 1}"


def _batch_script(folder: Path, token: str) -> str:
    draw = random.Random(2)
    lines = (_batch(draw, token) for _ in range(BODIES))
    return requests_script(folder / "batch.txt", "POST", lines)


def _batch(draw: random.Random, token: str) -> str:
    hits = [
        {
            "path": f"/page-{draw.randrange(PATHS)}",
            "ref": f"https://www.example.org/from-{draw.randrange(REFERRERS)}",
            "user_agent": draw.choice(AGENTS),
            "ip": _address(draw),
            "size": "1920",
        }
        for _ in range(HITS_IN_BODY)
    ]
    body = msgspec.json.encode({"hits": hits}).decode()
    return (
        f"/api/v0/count HTTP/1.1\\nHost: {HOST}\\nAuthorization: Bearer {token}\\n"
        f"Content-Type: application/json\\nContent-Length: {len(body)}\\n\\n{body}"
    )


def stored(data: Path) -> int:
    """Hits in the warehouse, read after its server has stopped."""
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM hit").fetchall()
    return int(count)


def _print(samples: Sequence[Sample], flushes: Sequence[float]) -> None:
    console = Console()
    console.print(machine())
    table = Table(
        title="Durable hits; CPU: all threads of the server, a hit", title_justify="left", padding=(0, 0, 0, 1)
    )
    for column in ("what", "clients", "requests/s", "hits/s", "of echo", "p50 ms", "p99 ms", "CPU µs"):
        table.add_column(column, justify="left" if column == "what" else "right", no_wrap=True)
    measured = [sample for sample in samples if sample.round >= 0]
    echoes = {(s.hits, s.connections, s.round): s.burst.rate for s in measured if s.name == "echo"}
    for name, hits, connections in dict.fromkeys((s.name, s.hits, s.connections) for s in measured):
        rows = [s for s in measured if (s.name, s.hits, s.connections) == (name, hits, connections)]
        rate = median(s.burst.rate for s in rows)
        table.add_row(
            f"{name}, {hits} each" if hits > 1 else name,
            str(connections),
            f"{rate:,.0f}",
            f"{rate * hits:,.0f}" if name != "echo" else "",
            f"{median(s.burst.rate / echoes[s.hits, s.connections, s.round] for s in rows):.2f}",
            f"{median(s.burst.p50 for s in rows) / 1000:.2f}",
            f"{median(s.burst.p99 for s in rows) / 1000:.2f}",
            f"{median(s.cpu_microseconds for s in rows):.1f}",
        )
    console.print(table)
    memory = [s.memory for s in samples if s.name == "count"]
    console.print(f"Memory after the first burst {memory[0] / 1e6:.0f} MB, after the last {memory[-1] / 1e6:.0f} MB.")
    console.print(f"One disk flush (4 KB appended, fdatasync): {median(flushes) / 1000:.2f} ms.")


def _print_stored(samples: Sequence[Sample], stored: int) -> bool:
    own = [sample for sample in samples if sample.name == "count"]
    acknowledged = sum(sample.burst.requests * sample.hits for sample in own)
    # wrk goes away without waiting for the last answer on each of its connections.
    unread = sum(sample.connections * sample.hits for sample in own)
    exact = acknowledged <= stored <= acknowledged + unread
    print(
        f"{acknowledged:,} acknowledged, {stored:,} stored (at most {unread:,} were not waited for):"
        f" {'exact' if exact else 'WRONG'}."
    )
    return exact


if __name__ == "__main__":
    app()
