"""Durable hits against an empty echo on granian, gets, and a handler on Redis. See README.md."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated

import counters
import servers
from cyclopts import App, Parameter
from cyclopts.validators import Number
from load import Load, require_wrk
from msgspec import Struct
from report import ECHO, LANE_ECHO, Results, print_report, write_json
from sampling import Target, measure, stored

CONNECTIONS = (1, 64, 256)
MANY = 10_000

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="counting.py", help=__doc__)


class Ledger(Struct, frozen=True):
    """A database, and how its server is started."""

    name: str
    data: Path
    url: str | None = None
    options: tuple[str, ...] = ()


@app.default
def main(  # noqa: PLR0913  # the options
    *,
    rounds: AtLeastOne = 5,
    seconds: AtLeastOne = 2,
    quick: bool = False,
    connections: tuple[AtLeastOne, ...] = CONNECTIONS,
    relaxed: bool = False,
    postgres: bool = False,
    json: Path | None = None,
) -> None:
    """Measure: about seven minutes.

    Args:
        rounds: every target is measured once in each round.
        seconds: of load a measurement.
        quick: about a minute and a half, less certain.
        connections: on how many connections, for example ``--connections 64 --connections 256``.
        relaxed: also hits with ``--durability relaxed``.
        postgres: also hits on a PostgreSQL of the tests' own (needs the extra ``dev``; its data lie in /tmp).
        json: a file for every single measurement.
    """
    require_wrk()
    if quick:
        rounds, seconds = 2, 1
    with servers.working_folder() as folder, ExitStack() as databases:
        ledgers = _ledgers(databases, folder, relaxed=relaxed, postgres=postgres)
        with ExitStack() as running:
            targets = _targets(running, folder, ledgers)
            results = measure(targets, sorted(connections), rounds, seconds, folder)
        results.stored = [
            stored(ledger.name, results.samples, counters.counted(ledger.url, ledger.data)) for ledger in ledgers
        ]
    print_report(results)
    _print_alone(results)
    if json:
        write_json(json, results)
    if not all(each.exact for each in results.stored):
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
    lane = running.enter_context(servers.application(folder / "lane", "lane"))
    targets = _each(ECHO, echo, "hit") + _each(LANE_ECHO, lane, "hit")
    for ledger in ledgers:
        server = running.enter_context(servers.tallystick(ledger.data, *ledger.options))
        targets += _each(ledger.name, server, "hit", ledger.name)
        if ledger is ledgers[0]:
            targets += _each("get", server, "get")[:2]
    if servers.has_redis():
        port = running.enter_context(servers.redis_server(folder / "redis"))
        handler = running.enter_context(servers.application(folder / "handler", "redis", str(port)))
        targets += _each("Redis INCR", handler, "hit")[:2]
    return targets


def _each(name: str, server: servers.Process, verb: str, ledger: str | None = None) -> list[Target]:
    """One target on one key, one on many, one on one key with the headers of a browser."""
    hot = f"/{verb}/{counters.HOT}"
    loads = (Load(hot), Load(f"/{verb}/{counters.NAMESPACE}/", MANY), Load(hot, browser=True))
    return [Target(name, server, load.name, load.script(seed=1), load.path, ledger) for load in loads]


def _print_alone(results: Results) -> None:
    """A hit on the only connection, next to the disk flush that it waits for."""
    alone = [
        each.burst.p50 - results.flushes[each.round]
        for each in results.measurements
        if (each.name, each.load, each.connections) == ("hit", "1 key", 1)
    ]
    if alone:
        print(f"hit on one connection (p50): one disk flush and {median(alone) / 1000:.2f} ms.")


if __name__ == "__main__":
    app()
