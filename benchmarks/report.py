"""Print results as tables, and write them as JSON."""

import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import apsw
import msgspec
from load import Burst
from msgspec import Struct, field
from rich.console import Console
from rich.table import Table

ECHO = "echo on granian"
"""The yardstick."""
LANE_ECHO = "echo, hot lane"
"""What the HTTP server itself costs."""


class Sample(Struct, frozen=True):
    """One measurement.

    Attributes:
        load: what is requested; a ratio compares samples of the same load.
        cpu_microseconds: processor time of the server a request, all its threads together.
        batch: mean number of writes that one commit held; None where nothing is written.
        others: how many processors other programs kept busy meanwhile.
    """

    name: str
    load: str
    connections: int
    round: int
    ledger: str | None
    burst: Burst
    rate: float
    cpu_microseconds: float
    batch: float | None
    others: float


class Stored(Struct, frozen=True):
    """Counts stored in a ledger, and counts that its server acknowledged.

    Attributes:
        unread: at most so many answers had not been read when the load ended.
    """

    ledger: str
    acknowledged: int
    unread: int
    counted: int

    @property
    def exact(self) -> bool:
        """Whether every acknowledged hit is stored exactly once."""
        return self.acknowledged <= self.counted <= self.acknowledged + self.unread


class Results(Struct):
    """One whole run. Flushes are microseconds, one median a round."""

    samples: list[Sample] = field(default_factory=list)
    flushes: list[float] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)

    @property
    def measurements(self) -> list[Sample]:
        """The samples without the warm-up."""
        return [sample for sample in self.samples if sample.round >= 0]


class Timed(NamedTuple):
    """How long answers took.

    Attributes:
        measured: milliseconds of each.
        cpu: milliseconds of processor time of one, of all threads of this process.
    """

    measured: list[float]
    cpu: float

    def __str__(self) -> str:
        """The median, the 95th percentile, and the processor time."""
        slowest = quantiles(self.measured, n=20, method="inclusive")[-1] if len(self.measured) > 1 else self.measured[0]
        return f"{median(self.measured):.0f} / {slowest:.0f} / {self.cpu:.0f}"


def print_report(results: Results) -> None:
    """One table for each number of connections."""
    console = Console(width=120)
    console.print(machine())
    samples = results.measurements
    # As they were warmed up: every round after that may go another way round.
    order = dict.fromkeys((sample.name, sample.load) for sample in results.samples)
    for connections in sorted({sample.connections for sample in samples}):
        title = f"{connections} connections" if connections > 1 else "1 connection"
        console.print(_table(title, [sample for sample in samples if sample.connections == connections], order))
    console.print("of echo: the median of each round's ratio. CPU: all threads of the server, a request.")
    console.print("others: processors that other programs kept busy meanwhile.")
    console.print(f"One disk flush (4 KB appended, fdatasync): {median(results.flushes) / 1000:.2f} ms.")
    for stored in results.stored:
        console.print(
            f"{stored.ledger}: {stored.acknowledged:,} acknowledged, {stored.counted:,} stored"
            f" (at most {stored.unread:,} answers were not waited for): {'exact' if stored.exact else 'WRONG'}."
        )


def write_json(file: Path, results: Results) -> None:
    """Every single measurement."""
    written = {"machine": machine(), **msgspec.to_builtins(results)}
    file.write_bytes(msgspec.json.format(msgspec.json.encode(written)) + b"\n")


def _table(title: str, samples: Sequence[Sample], order: Iterable[tuple[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", padding=(0, 0, 0, 1))
    for column in ("what", "load"):
        table.add_column(column, no_wrap=True)
    for column in ("requests/s", "of echo", "p50 ms", "p99 ms", "CPU µs", "batch", "others"):
        table.add_column(column, justify="right", no_wrap=True)
    echoes = {(sample.load, sample.round): sample.rate for sample in samples if sample.name == ECHO}
    for name, load in order:
        rows = [sample for sample in samples if (sample.name, sample.load) == (name, load)]
        if not rows:
            continue
        ratios = [sample.rate / echoes[sample.load, sample.round] for sample in rows]
        batches = [sample.batch for sample in rows if sample.batch is not None]
        table.add_row(
            name,
            load,
            f"{median(sample.rate for sample in rows):,.0f}",
            f"{median(ratios):.2f}",
            f"{median(sample.burst.p50 for sample in rows) / 1000:.2f}",
            f"{median(sample.burst.p99 for sample in rows) / 1000:.2f}",
            f"{median(sample.cpu_microseconds for sample in rows):.1f}",
            f"{median(batches):.0f}" if batches else "",
            f"{median(sample.others for sample in rows):.1f}",
        )
    return table


def timed(ask: Callable[[], object], times: int) -> Timed:
    """Ask so often, one after the other."""
    measured, cpu = [], time.process_time()
    for _ in range(times):
        began = time.perf_counter()
        ask()
        measured.append((time.perf_counter() - began) * 1000)
    return Timed(measured, (time.process_time() - cpu) / times * 1000)


def machine() -> str:
    """Describe the machine in one line."""
    return (
        f"{os.cpu_count()} processors, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}"
    )
