"""Increments of shared counters against an empty echo and CountAPI's hit; lists and histories. See README.md."""

import random
import sys
import time
from collections.abc import Iterable, Sequence
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
from disk import flush_microseconds
from load import requests_script, require_wrk, scripted_burst
from msgspec import Struct
from report import ECHO, Results, Sample, Stored, print_report, write_json
from rich.progress import track

CONNECTIONS = (64, 256)
CHANGES = 10_000_000
ASKED = 40
HIT, INCREMENT = "hit", "increment"

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="sharing.py", help=__doc__)


class Target(Struct, frozen=True):
    """One thing that is measured, on so many counters."""

    name: str
    server: servers.Process
    script: str
    keys: int


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
    results = Results()
    with servers.working_folder() as folder:
        data = folder / "data"
        made = shared.prepare(data)
        counters.create(None, data, counters.numbered(shared.MANY))
        with ExitStack() as running:
            targets = _targets(running, folder, made)
            _measure(targets, folder, rounds, seconds, results)
        results.stored = [_stored(INCREMENT, results, shared.counted(data))]
        _print(results)
        shared.add_changes(data, changes)
        with servers.tallystick(data, "--rate-limit", "off") as server:
            print(f"With {changes:,} changes of {2 * shared.MANY + 1:,} counters in the record:")
            _ask(server, made)
            _print_burst(server, made, seconds)
    if json:
        write_json(json, results)
    sys.exit(0 if all(stored.exact for stored in results.stored) else 1)


def _targets(running: ExitStack, folder: Path, made: shared.Shared) -> list[Target]:
    echo = running.enter_context(servers.application(folder / "echo", "echo"))
    server = running.enter_context(servers.tallystick(folder / "data", "--rate-limit", "off"))
    hot = _increments(folder / "hot.txt", made.hot)
    many = _increments(folder / "many.txt", made.many)
    hits = [
        f"/hit/{key.namespace}/{key.key} HTTP/1.1\\nHost: localhost\\n\\n" for key in counters.numbered(shared.MANY)
    ]
    return [
        Target(ECHO, echo, hot, 1),
        Target(HIT, server, requests_script(folder / "hit.txt", "GET", hits[:1]), 1),
        Target(INCREMENT, server, hot, 1),
        Target(ECHO, echo, many, shared.MANY),
        Target(HIT, server, requests_script(folder / "hits.txt", "GET", hits), shared.MANY),
        Target(INCREMENT, server, many, shared.MANY),
    ]


def _increments(file: Path, members: Iterable[tuple[str, str]]) -> str:
    return requests_script(
        file,
        "POST",
        (
            f"/v1/counters/{uid}/increment HTTP/1.1\\nHost: localhost\\nAuthorization: Bearer {token}\\n"
            "Content-Length: 0\\n\\n"
            for uid, token in members
        ),
    )


def _measure(targets: Sequence[Target], folder: Path, rounds: int, seconds: int, results: Results) -> None:
    """Every target once in each round, one after the other, so that the machine's noise meets all alike."""
    results.samples = [_sample(target, 64, -1, seconds=1) for target in targets]
    for number in track(range(rounds), "Measuring"):
        results.flushes.append(flush_microseconds(folder))
        for connections in CONNECTIONS:
            in_turn = targets if number % 2 == 0 else targets[::-1]
            results.samples += [_sample(target, connections, number, seconds) for target in in_turn]


def _sample(target: Target, connections: int, number: int, seconds: int) -> Sample:
    server, counts = target.server, target.name != ECHO
    before = server.batches() if counts else (0.0, 0.0)
    cpu = server.cpu_seconds
    measured = scripted_burst(server.url, target.script, connections, seconds)
    cpu = server.cpu_seconds - cpu
    after = server.batches() if counts else (0.0, 0.0)
    batches = after[0] - before[0]
    return Sample(
        name=target.name,
        keys=target.keys,
        connections=connections,
        round=number,
        ledger=target.name if target.name == INCREMENT else None,
        burst=measured,
        rate=measured.rate,
        cpu_microseconds=cpu / measured.requests * 1e6,
        batch=(after[1] - before[1]) / batches if batches else None,
    )


def _stored(name: str, results: Results, counted: int) -> Stored:
    own = [sample for sample in results.samples if sample.ledger == name]
    # wrk goes away without waiting for the last answer on each of its connections.
    unread = sum(sample.connections for sample in own)
    return Stored(name, sum(sample.burst.requests for sample in own), unread, counted)


def _print(results: Results) -> None:
    print_report(results)
    for keys in (1, shared.MANY):
        for connections in CONNECTIONS:
            ratio = median(_ratios(results.measurements, keys, connections))
            print(f"{keys:,} keys, {connections} connections: an increment is {ratio:.2f} of a hit.")


def _ratios(samples: Sequence[Sample], keys: int, connections: int) -> list[float]:
    rates = {(s.name, s.round): s.rate for s in samples if (s.keys, s.connections) == (keys, connections)}
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
            lines = random.sample(members, len(members))
            burst = scripted_burst(server.url, _increments(folder / "again.txt", lines), 64, seconds)
            print(f"increments of {name}, 64 connections: {burst.rate:,.0f}/s, p99 {burst.p99 / 1000:.1f} ms")


if __name__ == "__main__":
    app()
