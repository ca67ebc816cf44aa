"""Durable hits against an empty echo, gets, and a handler on Redis. See README.md."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import counters
import servers
from cyclopts import App, Parameter
from cyclopts.validators import Number
from disk import flush_microseconds
from load import Load, burst, require_wrk
from msgspec import Struct
from report import ECHO, Results, Sample, Stored, print_report, write_json
from rich.progress import track

CONNECTIONS = (1, 64, 256)
MANY = 10_000
WARM_UP = -1
"""The number of the round whose bursts count as hits, but not as measurements."""

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="counting.py", help=__doc__)


class Ledger(Struct, frozen=True):
    """A database, and how its server is started."""

    name: str
    data: Path
    url: str | None = None
    options: tuple[str, ...] = ()


class Target(Struct, frozen=True):
    """One thing that is measured.

    Attributes:
        batches: whether its server tells how it batches writes.
        ledger: which ledger must hold what is acknowledged; None when nothing is counted.
    """

    name: str
    server: servers.Process
    load: Load
    ledger: str | None = None


@app.default
def main(  # noqa: PLR0913  # the options
    *,
    rounds: AtLeastOne = 5,
    seconds: AtLeastOne = 2,
    quick: bool = False,
    relaxed: bool = False,
    postgres: bool = False,
    json: Path | None = None,
) -> None:
    """Measure: about four and a half minutes.

    Args:
        rounds: every target is measured once in each round.
        seconds: of load a measurement.
        quick: about one minute, less certain.
        relaxed: also hits with ``--durability relaxed``.
        postgres: also hits on a PostgreSQL of the tests' own (needs the extra ``dev``; its data lie in /tmp).
        json: a file for every single measurement.
    """
    require_wrk()
    if quick:
        rounds, seconds = 2, 1
    results = Results()
    with servers.working_folder() as folder, ExitStack() as databases:
        ledgers = _ledgers(databases, folder, relaxed=relaxed, postgres=postgres)
        with ExitStack() as running:
            _measure(_targets(running, folder, ledgers), folder, rounds, seconds, results)
        results.stored = [_stored(ledger, results.samples) for ledger in ledgers]
    print_report(results)
    if json:
        write_json(json, results)
    if not all(stored.exact for stored in results.stored):
        sys.exit(1)


def _ledgers(databases: ExitStack, folder: Path, *, relaxed: bool, postgres: bool) -> list[Ledger]:
    ledgers = [Ledger("hit", folder / "full")]
    if relaxed:
        ledgers.append(Ledger("hit, relaxed", folder / "relaxed", options=("--durability", "relaxed")))
    if postgres:
        url = databases.enter_context(_postgres())
        ledgers.append(Ledger("hit, PostgreSQL", folder / "postgresql", url, ("--database", url)))
    for ledger in ledgers:
        counters.create(ledger.url, ledger.data, [counters.HOT, *counters.numbered(MANY)])
    return ledgers


@contextmanager
def _postgres() -> Iterator[str]:
    sys.path.append(str(servers.ROOT / "tests"))
    from support.postgres import Postgres  # noqa: PLC0415  # it needs the extra "dev"

    with Postgres.started() as server, server.fresh_database() as url:
        yield url


def _targets(running: ExitStack, folder: Path, ledgers: Sequence[Ledger]) -> list[Target]:
    echo = running.enter_context(servers.application(folder / "echo", "echo"))
    targets = _both(ECHO, echo, "hit")
    for ledger in ledgers:
        server = running.enter_context(servers.tallystick(ledger.data, *ledger.options))
        targets += _both(ledger.name, server, "hit", ledger.name)
        if ledger is ledgers[0]:
            targets += _both("get", server, "get")
    if servers.has_redis():
        port = running.enter_context(servers.redis_server(folder / "redis"))
        handler = running.enter_context(servers.application(folder / "handler", "redis", str(port)))
        targets += _both("Redis INCR", handler, "hit")
    return targets


def _both(name: str, server: servers.Process, verb: str, ledger: str | None = None) -> list[Target]:
    """One target on one key, one on many."""
    loads = (Load(f"/{verb}/{counters.HOT}"), Load(f"/{verb}/{counters.NAMESPACE}/", MANY))
    return [Target(name, server, load, ledger) for load in loads]


def _measure(targets: Sequence[Target], folder: Path, rounds: int, seconds: int, results: Results) -> None:
    """Every target once in each round, one after the other, so that the machine's noise meets all alike."""
    results.samples = [_sample(target, 64, WARM_UP, seconds=1) for target in targets]
    for number in track(range(rounds), "Measuring"):
        results.flushes.append(flush_microseconds(folder))
        for connections in CONNECTIONS:
            in_turn = targets if number % 2 == 0 else targets[::-1]
            results.samples += [_sample(target, connections, number, seconds) for target in in_turn]


def _sample(target: Target, connections: int, number: int, seconds: int) -> Sample:
    server = target.server
    before = server.batches() if target.ledger else (0.0, 0.0)
    cpu = server.cpu_seconds
    measured = burst(server.url, target.load, connections, seconds)
    cpu = server.cpu_seconds - cpu
    after = server.batches() if target.ledger else (0.0, 0.0)
    batches = after[0] - before[0]
    return Sample(
        name=target.name,
        keys=target.load.keys,
        connections=connections,
        round=number,
        ledger=target.ledger,
        burst=measured,
        rate=measured.rate,
        cpu_microseconds=cpu / measured.requests * 1e6,
        batch=(after[1] - before[1]) / batches if batches else None,
    )


def _stored(ledger: Ledger, samples: Sequence[Sample]) -> Stored:
    """What the database holds, read after its server has stopped."""
    own = [sample for sample in samples if sample.ledger == ledger.name]
    acknowledged = sum(sample.burst.requests for sample in own)
    # wrk goes away without waiting for the last answer on each of its connections.
    unread = sum(sample.connections for sample in own)
    return Stored(ledger.name, acknowledged, unread, counters.counted(ledger.url, ledger.data))


if __name__ == "__main__":
    app()
