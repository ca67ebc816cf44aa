"""Cost of a million counters: start, memory, hits, gets and disk. See README.md."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated

import counters
import servers
from cyclopts import App, Parameter
from cyclopts.validators import Number
from load import Load, burst, require_wrk
from msgspec import Struct, field
from rich.console import Console
from rich.table import Table

FEW = 10
STARTS = 3
CONNECTIONS = 64
MEMORY_AFTER = 60_000
"""Hits over random keys after which memory is looked at again: three times the rows that the writer keeps."""

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="million.py", help=__doc__)
console = Console()


class Database(Struct):
    """One database, its server, and what was measured of both."""

    folder: Path
    counters: int
    file_bytes: int
    starts: list[float] = field(default_factory=list)
    memory_at_start: int = 0
    memory_after: int = 0
    acknowledged: int = 0
    unread: int = 0
    hits: list[float] = field(default_factory=list)
    gets: list[float] = field(default_factory=list)
    one_get: list[float] = field(default_factory=list)


@app.default
def main(*, rounds: AtLeastOne = 3, seconds: AtLeastOne = 2, many: AtLeastOne = 1_000_000) -> None:
    """Measure: about a minute.

    Args:
        rounds: both databases are measured once in each round.
        seconds: of load a measurement.
        many: counters in the large database.
    """
    require_wrk()
    with servers.working_folder() as folder:
        databases = [_database(folder / "few", FEW), _database(folder / "many", many)]
        for database in databases:
            _start(database)
        with ExitStack() as running:
            started = [running.enter_context(servers.tallystick(database.folder)) for database in databases]
            for database, server in zip(databases, started, strict=True):
                _memory(database, server)
            for _ in range(rounds):
                for database, server in zip(databases, started, strict=True):
                    _load(database, server, seconds)
        exact = [_exact(database) for database in databases]
    _print(databases)
    if not all(exact):
        sys.exit(1)


def _database(folder: Path, count: int) -> Database:
    began = time.perf_counter()
    counters.create(None, folder, counters.numbered(count))
    console.print(f"{count:,} counters made in {time.perf_counter() - began:.1f} s")
    return Database(folder, count, sum(file.stat().st_size for file in folder.glob("ledger.sqlite3*")))


def _start(database: Database) -> None:
    for _ in range(STARTS):
        with servers.tallystick(database.folder) as server:
            database.starts.append(server.started_in)


def _memory(database: Database, server: servers.Process) -> None:
    database.memory_at_start = server.memory
    target = database.acknowledged + MEMORY_AFTER
    while database.acknowledged < target:
        _hits(database, server, seconds=1)
    database.memory_after = server.memory


def _load(database: Database, server: servers.Process, seconds: int) -> None:
    database.hits.append(_hits(database, server, seconds))
    gets = Load(f"/get/{counters.NAMESPACE}/", database.counters)
    database.gets.append(burst(server.url, gets, CONNECTIONS, seconds, seed=len(database.gets)).rate)
    database.one_get.append(burst(server.url, gets, 1, seconds, seed=len(database.gets)).p50)


def _hits(database: Database, server: servers.Process, seconds: int) -> float:
    load = Load(f"/hit/{counters.NAMESPACE}/", database.counters)
    # Another seed each time, or wrk would draw the same keys again.
    measured = burst(server.url, load, CONNECTIONS, seconds, seed=database.acknowledged)
    database.acknowledged += measured.requests
    database.unread += CONNECTIONS
    return measured.rate


def _exact(database: Database) -> bool:
    counted = counters.counted(None, database.folder)
    exact = database.acknowledged <= counted <= database.acknowledged + database.unread
    console.print(
        f"{database.counters:,} counters: {database.acknowledged:,} hits acknowledged, {counted:,} stored"
        f" (at most {database.unread:,} answers were not waited for): {'exact' if exact else 'WRONG'}."
    )
    return exact


def _print(databases: list[Database]) -> None:
    few, many = databases
    table = Table("what", *(f"{database.counters:,} counters" for database in databases))
    rows = (
        ("start until it answers, s", [f"{median(each.starts):.2f}" for each in databases]),
        ("memory at start, MB", [f"{each.memory_at_start / 1e6:.0f}" for each in databases]),
        (f"after {MEMORY_AFTER:,} hits or more, MB", [f"{each.memory_after / 1e6:.0f}" for each in databases]),
        ("database file, MB", [f"{each.file_bytes / 1e6:.1f}" for each in databases]),
        (f"hits/s, {CONNECTIONS} connections", [f"{median(each.hits):,.0f}" for each in databases]),
        (f"gets/s, {CONNECTIONS} connections", [f"{median(each.gets):,.0f}" for each in databases]),
        ("one get at a time, p50 ms", [f"{median(each.one_get) / 1000:.2f}" for each in databases]),
    )
    for name, cells in rows:
        table.add_row(name, *cells)
    console.print(table)
    ratio = median(large / small for large, small in zip(many.hits, few.hits, strict=True))
    console.print(
        f"Hits on {many.counters:,} counters run at {ratio:.2f} of those on {few.counters} (median of rounds)."
    )


if __name__ == "__main__":
    app()
