"""How long statistics take over HTTP: every endpoint, three periods, without and with filters. See README.md."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated

import hits
import httpx
import msgspec
import servers
from cyclopts import App, Parameter
from cyclopts.validators import Number
from msgspec import Struct
from report import machine
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

ENDPOINTS = (
    "paths",
    "stats/total",
    "stats/hits",
    "stats/hits/1",
    "stats/toprefs",
    "stats/browsers",
    "stats/systems",
    "stats/locations",
    "stats/languages",
    "stats/sizes",
    "stats/campaigns",
    "stats/toprefs/www.site-1.example/page",
    "stats/browsers/Firefox",
    "stats/systems/Windows",
    "stats/locations/US",
    "stats/sizes/phone",
    "stats/campaigns/1",
    "stats/total?metrics=visitors",
    "stats/total?metrics=visitors,pageviews,bounce_rate,visit_duration",
)
WITHOUT_PERIOD = {"paths"}
DAYS = (7, 30, 365)
FILTERS = {"country": "DE", "browser": "Chrome"}
ENDS = datetime(2026, 1, 1, tzinfo=UTC)

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="reporting.py", help=__doc__)
console = Console(width=160)


class Question(Struct, frozen=True):
    """A request for a report."""

    endpoint: str
    days: int
    filtered: bool

    @property
    def url(self) -> httpx.URL:
        """URL of the request, relative to the API."""
        asked = _period(self.days) | (FILTERS if self.filtered else {}) if self.days else {}
        return httpx.URL(self.endpoint).copy_merge_params(asked)


class Timing(Struct, frozen=True):
    """Milliseconds that one question took, each time it was asked, and of processor time on average."""

    question: Question
    milliseconds: list[float]
    cpu: float
    body_bytes: int

    @property
    def p50(self) -> float:
        """The median."""
        return median(self.milliseconds)

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return quantiles(self.milliseconds, n=20, method="inclusive")[-1]


@app.default
def main(
    *, data: Path | None = None, count: AtLeastOne = hits.HITS, times: AtLeastOne = 10, json: Path | None = None
) -> None:
    """Measure: about three minutes, half of it to make the hits.

    Args:
        data: a folder that ``hits.py`` has made; without one it is made and removed.
        count: hits to make.
        times: each question is asked so often.
        json: file for all timings.
    """
    console.print(machine())
    with hits.made(data, count) as folder, servers.tallystick(folder, "--rate-limit", "off") as server:
        token = (folder / hits.TOKEN_FILE).read_text("ascii")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Host": hits.HOST}
        with httpx.Client(base_url=f"{server.url}/api/v0/", headers=headers, timeout=60) as client:
            timings = [
                _timing(client, server, question, times) for question in track(list(_questions()), transient=True)
            ]
        memory = server.memory
        file = folder / WAREHOUSE_FILE
        console.print(f"{file.stat().st_size / 1e6:.0f} MB of hits; the server has {memory / 1e6:.0f} MB")
    _print(timings)
    if json:
        json.write_bytes(msgspec.json.encode(timings))


def _questions() -> Iterator[Question]:
    for endpoint in ENDPOINTS:
        if endpoint in WITHOUT_PERIOD:
            yield Question(endpoint, 0, filtered=False)
        else:
            yield from (Question(endpoint, days, filtered) for days in DAYS for filtered in (False, True))


def _timing(client: httpx.Client, server: servers.Process, question: Question, times: int) -> Timing:
    milliseconds, cpu_before = [], server.cpu_seconds
    for _ in range(times):
        began = time.perf_counter()
        answer = client.get(question.url)
        milliseconds.append((time.perf_counter() - began) * 1000)
        if not answer.is_success:
            console.print(f"{question.url}: {answer.status_code} {answer.text}")
            sys.exit(1)
    cpu = (server.cpu_seconds - cpu_before) / times * 1000
    return Timing(question, milliseconds, cpu, len(answer.content))


def _period(days: int) -> dict[str, str]:
    return {
        "start": (ENDS - timedelta(days=days)).strftime("%Y-%m-%d"),
        "end": (ENDS - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _print(timings: list[Timing]) -> None:
    columns = [f"{days} days{', 2 filters' if filtered else ''}" for days in DAYS for filtered in (False, True)]
    table = Table("p50 / p95 / CPU, ms", *columns)
    for endpoint in ENDPOINTS:
        cells = [
            f"{each.p50:.0f} / {each.p95:.0f} / {each.cpu:.0f}"
            for each in timings
            if each.question.endpoint == endpoint
        ]
        table.add_row(f"/{endpoint}", *cells)
    console.print(table)
    slowest = max(timings, key=lambda each: each.p95)
    console.print(f"Slowest: /{slowest.question.url}: p95 {slowest.p95:.0f} ms.")


if __name__ == "__main__":
    app()
