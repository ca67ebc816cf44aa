"""Durable pageviews against an empty echo: the pixel, and batches of 500 through the API. See README.md."""

import random
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated

import duckdb
import msgspec
import servers
from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number
from load import BROWSER, requests_script, require_wrk
from report import ECHO, LANE_ECHO, Results, Sample, Stored, print_report, write_json
from sampling import Target, measure

PATHS, REFERRERS, VISITORS = 1_000, 200, 10_000
REQUESTS = 5_000
"""Different requests that one burst draws from."""
BODIES, HITS_IN_BODY = 20, 500
PIXEL_CONNECTIONS = (1, 64, 256)
BATCH_CONNECTIONS = (1, 4)
COUNT = "count"
PIXEL, BROWSERS_PIXEL, BATCH = "pixel", "pixel, a browser's headers", f"{HITS_IN_BODY} hits a request"
HOST = "stats.example.com"
EMAIL = "bench@example.com"
AGENTS = tuple(
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "Macintosh; Intel Mac OS X 10_15_7")
    for version in range(100, 140)
)
IMAGE = "".join(
    f"{name}: {value}\\n"
    for name, value in {
        **BROWSER,
        "Accept": "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
        "Sec-Fetch-Dest": "image",
        "Sec-Fetch-Mode": "no-cors",
    }.items()
)
"""Headers of a browser that requests an image, besides Host and User-Agent."""
LIMIT_EXCEEDED, NOT_RUN = 1, 2
"""Exit codes: the hits that are stored are not those that were acknowledged; and nothing was measured."""

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="pageviews.py", help=__doc__)


@app.default
def main(*, rounds: AtLeastOne = 4, seconds: AtLeastOne = 2, json: Path | None = None) -> None:
    """Measure: about three and a half minutes. Exits with 1 if the hits are not all stored, with 2 if it could not run.

    Args:
        rounds: every target is measured once in each round.
        seconds: of load a measurement.
        json: a file for every single measurement.
    """
    with could_run():
        results = _measured(rounds, seconds)
        print_report(results)
        _print_batches(results)
        if json:
            write_json(json, results)
    sys.exit(0 if all(each.exact for each in results.stored) else LIMIT_EXCEEDED)


@contextmanager
def could_run() -> Iterator[None]:
    """Exit with a code of its own, and a message, when what is in it cannot be carried out."""
    try:
        yield
    except SystemExit as exit_:
        if not isinstance(exit_.code, str):
            raise
        print(exit_.code, file=sys.stderr)
        sys.exit(NOT_RUN)
    except Exception:  # noqa: BLE001  # whatever it is, nothing was measured
        traceback.print_exc()
        sys.exit(NOT_RUN)


def _measured(rounds: int, seconds: int) -> Results:
    require_wrk()
    with servers.working_folder() as folder:
        token = prepare(folder / "data")
        with ExitStack() as running:
            echo = running.enter_context(servers.application(folder / "echo", "echo"))
            lane = running.enter_context(servers.application(folder / "lane", "lane"))
            options = ("--rate-limit", "off", "--trusted-proxy", "127.0.0.1")
            server = running.enter_context(servers.tallystick(folder / "data", *options))
            memory = server.memory
            pixels = [
                Target(name, process, load, script)
                for load, script in _pixel_scripts(folder).items()
                for name, process in ((ECHO, echo), (LANE_ECHO, lane), (COUNT, server))
            ]
            results = measure(pixels, PIXEL_CONNECTIONS, rounds, seconds, folder)
            batch = _batch_script(folder, token)
            batches = [Target(ECHO, echo, BATCH, batch), Target(COUNT, server, BATCH, batch)]
            results.samples += measure(batches, BATCH_CONNECTIONS, rounds, seconds, folder).samples
            print(f"Memory at the start {memory / 1e6:.0f} MB, at the end {server.memory / 1e6:.0f} MB.")
        results.stored = [_stored(results.samples, stored(folder / "data"))]
    return results


def prepare(data: Path) -> str:
    """Create a site in a new data directory. Returns a token."""
    _command(data, "init")
    _command(data, "user", "create", "--email", EMAIL, "--password", "-", given="only-for-the-benchmark")
    _command(data, "site", "create", "--host", HOST, "--email", EMAIL)
    return _command(data, "token", "create", "--email", EMAIL, "--name", "bench", "--permissions", "count")


def _command(data: Path, *arguments: str, given: str = "") -> str:
    command = [sys.executable, "-m", "tallystick", *arguments, "--data", str(data)]
    return subprocess.run(command, check=True, input=given, capture_output=True, text=True).stdout.strip()


def _pixel_scripts(folder: Path) -> dict[str, str]:
    """The same pageviews, with the fewest headers and with those of a browser."""
    return {
        PIXEL: requests_script(folder / "pixel.txt", "GET", pixels("")),
        BROWSERS_PIXEL: requests_script(folder / "browser.txt", "GET", pixels(IMAGE)),
    }


def pixels(more_headers: str) -> Iterator[str]:
    """Requests for wrk, as the script of the pixel writes them."""
    draw = random.Random(1)
    for number in range(REQUESTS):
        yield (
            f"/count?p=%2Fpage-{draw.randrange(PATHS)}{_referrer(draw)}&t=Page&s=1920%2C1080%2C1&b=0&rnd={number:05}"
            " HTTP/1.1\\n"
            f"Host: {HOST}\\nUser-Agent: {draw.choice(AGENTS)}\\nX-Forwarded-For: {_address(draw)}\\n{more_headers}\\n"
        )


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
    body = msgspec.json.encode({"hits": pageviews(draw)}).decode()
    return (
        f"/api/v0/count HTTP/1.1\\nHost: {HOST}\\nAuthorization: Bearer {token}\\n"
        f"Content-Type: application/json\\nContent-Length: {len(body)}\\n\\n{body}"
    )


def pageviews(draw: random.Random) -> list[dict[str, str]]:
    """The hits of one request to the API."""
    return [
        {
            "path": f"/page-{draw.randrange(PATHS)}",
            "ref": f"https://www.example.org/from-{draw.randrange(REFERRERS)}",
            "user_agent": draw.choice(AGENTS),
            "ip": _address(draw),
            "size": "1920",
        }
        for _ in range(HITS_IN_BODY)
    ]


def stored(data: Path) -> int:
    """Hits in the warehouse, read after its server has stopped."""
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM hit").fetchall()
    return int(count)


def _stored(samples: Sequence[Sample], counted: int) -> Stored:
    own = [(each, HITS_IN_BODY if each.load == BATCH else 1) for each in samples if each.name == COUNT]
    acknowledged = sum(each.burst.requests * hits for each, hits in own)
    # wrk goes away without waiting for the last answer on each of its connections.
    return Stored(COUNT, acknowledged, sum(each.connections * hits for each, hits in own), counted)


def _print_batches(results: Results) -> None:
    for connections in BATCH_CONNECTIONS:
        rows = [s for s in results.measurements if (s.name, s.load, s.connections) == (COUNT, BATCH, connections)]
        rate = median(each.rate for each in rows) * HITS_IN_BODY
        cpu = median(each.cpu_microseconds for each in rows) / HITS_IN_BODY
        print(f"{BATCH}, {connections} connections: {rate:,.0f} hits/s, {cpu:.1f} µs of CPU a hit.")


if __name__ == "__main__":
    try:
        app(exit_on_error=False)
    except CycloptsError:  # it has printed the message
        sys.exit(NOT_RUN)
