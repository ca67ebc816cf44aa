"""Increments of shared counters against an empty echo and CountAPI's hit; lists and histories. See README.md."""

import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated

import counters
import httpx
import servers
import shared
from cyclopts import App, Parameter
from cyclopts.validators import Number
from load import requests_script, require_wrk, scripted_burst
from report import ECHO, LANE_ECHO, Results, Sample, print_report, write_json
from sampling import Target, measure, stored

CONNECTIONS = (64, 256)
CHANGES = 10_000_000
ASKED = 40
HIT, INCREMENT = "hit", "increment"
ONE, MANY = "1 counter", f"{shared.MANY:,} counters"

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="sharing.py", help=__doc__)


@app.default
def main(*, rounds: AtLeastOne = 4, seconds: AtLeastOne = 2, changes: int = CHANGES, json: Path | None = None) -> None:
    """Measure: about three minutes.

    Args:
        rounds: every target is measured once in each round.
        seconds: of load a measurement.
        changes: how many the record holds before histories are read.
        json: a file for every single measurement.
    """
    require_wrk()
    with servers.working_folder() as folder:
        data = folder / "data"
        made = shared.prepare(data)
        counters.create(None, data, counters.numbered(shared.MANY))
        with ExitStack() as running:
            targets = _targets(running, folder, made)
            results = measure(targets, CONNECTIONS, rounds, seconds, folder)
        results.stored = [stored(INCREMENT, results.samples, shared.counted(data))]
        _print(results)
        shared.add_changes(data, changes)
        with servers.tallystick(data, "--rate-limit", "off") as server:
            print(f"With {changes:,} changes of {2 * shared.MANY + 1:,} counters in the record:")
            _ask(server, made)
            _print_burst(server, made, seconds)
    if json:
        write_json(json, results)
    sys.exit(0 if all(each.exact for each in results.stored) else 1)


def _targets(running: ExitStack, folder: Path, made: shared.Shared) -> list[Target]:
    echo = running.enter_context(servers.application(folder / "echo", "echo"))
    lane = running.enter_context(servers.application(folder / "lane", "lane"))
    server = running.enter_context(servers.tallystick(folder / "data", "--rate-limit", "off"))
    hot = requests_script(folder / "hot.txt", "POST", increments(made.hot))
    many = requests_script(folder / "many.txt", "POST", increments(made.many))
    hits = [
        f"/hit/{key.namespace}/{key.key} HTTP/1.1\\nHost: localhost\\n\\n" for key in counters.numbered(shared.MANY)
    ]
    hit, hits_many = (requests_script(folder / f"hits-{len(lines)}.txt", "GET", lines) for lines in (hits[:1], hits))
    return [
        Target(ECHO, echo, ONE, hot),
        Target(LANE_ECHO, lane, ONE, hot),
        Target(HIT, server, ONE, hit, ledger=HIT),
        Target(INCREMENT, server, ONE, hot, ledger=INCREMENT),
        Target(ECHO, echo, MANY, many),
        Target(LANE_ECHO, lane, MANY, many),
        Target(HIT, server, MANY, hits_many, ledger=HIT),
        Target(INCREMENT, server, MANY, many, ledger=INCREMENT),
    ]


def increments(members: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Requests for wrk: each counter by its member."""
    for uid, token in members:
        yield (
            f"/v1/counters/{uid}/increment HTTP/1.1\\nHost: localhost\\nAuthorization: Bearer {token}\\n"
            "Content-Length: 0\\n\\n"
        )


def _print(results: Results) -> None:
    print_report(results)
    for load in (ONE, MANY):
        for connections in CONNECTIONS:
            ratio = median(_ratios(results.measurements, load, connections))
            print(f"{load}, {connections} connections: an increment is {ratio:.2f} of a hit.")


def _ratios(samples: Sequence[Sample], load: str, connections: int) -> list[float]:
    rates = {(s.name, s.round): s.rate for s in samples if (s.load, s.connections) == (load, connections)}
    return [rate / rates[HIT, number] for (name, number), rate in rates.items() if name == INCREMENT]


def _ask(server: servers.Process, made: shared.Shared) -> None:
    """Measure reads, one request after the other."""
    history = f"/v1/counters/{made.collected}/history"
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {made.collector}"}) as client:
        for path in (
            "/v1/counters",
            "/v2/counters",
            f"/v1/counters/{made.collected}",
            f"{history}?order=newest",
            history,
            f"{history}?after={CHANGES // 2}",
            f"{history}?limit=1000",
        ):
            _print_asked(server, client, path, made.collected)


def _print_asked(server: servers.Process, client: httpx.Client, path: str, uid: str) -> None:
    times, size, cpu = [], 0, server.cpu_seconds
    for _ in range(ASKED):
        started = time.perf_counter()
        answer = client.get(path).raise_for_status()
        times.append((time.perf_counter() - started) * 1000)
        size = len(answer.content)
    cpu = (server.cpu_seconds - cpu) / ASKED * 1000
    spent = f"p50 {median(times):.1f} ms, p95 {quantiles(times, n=20)[-1]:.1f}, CPU {cpu:.1f}"
    print(f"{path.replace(uid, '{id}')}: {spent}, {size:,} bytes")


def _print_burst(server: servers.Process, made: shared.Shared, seconds: int) -> None:
    with servers.working_folder() as folder:
        for name, members in (("one counter", made.hot), (f"{shared.MANY:,} counters", made.many)):
            lines = increments(random.sample(members, len(members)))
            burst = scripted_burst(server.url, requests_script(folder / "again.txt", "POST", lines), 64, seconds)
            print(f"increments of {name}, 64 connections: {burst.rate:,.0f}/s, p99 {burst.p99 / 1000:.1f} ms")


if __name__ == "__main__":
    app()
