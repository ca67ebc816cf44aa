"""Targets of a benchmark, and one measurement of one of them."""

import resource
import time
from collections.abc import Sequence
from pathlib import Path

import servers
from disk import flush_microseconds
from load import scripted_burst
from msgspec import Struct
from report import Results, Sample, Stored
from rich.progress import track

WARM_UP = -1
"""The number of the round whose bursts count as hits, but not as measurements."""


class Target(Struct, frozen=True):
    """One thing that is measured.

    Attributes:
        load: what is requested, for the report: targets of the same load are compared.
        script: of the requests, for wrk; empty if it repeats ``path``.
        ledger: which ledger must hold what is acknowledged; None when nothing is counted.
    """

    name: str
    server: servers.Process
    load: str
    script: str
    path: str = ""
    ledger: str | None = None


class Others:
    """Measures what the other programs on this machine take while a server is under load.

    Args:
        server: the server that is measured.
    """

    def __init__(self, server: servers.Process) -> None:
        self._server = server
        self._started, self._before = time.perf_counter(), self._seconds()

    def processors(self) -> float:
        """How many processors they have kept busy since this object was created."""
        return max(self._seconds() - self._before, 0) / (time.perf_counter() - self._started)

    def _seconds(self) -> float:
        user, nice, system, _idle, _iowait, irq, softirq, steal = (
            int(ticks) for ticks in Path("/proc/stat").read_text("ascii").split(maxsplit=9)[1:9]
        )
        everything = (user + nice + system + irq + softirq + steal) / servers.TICKS
        children = resource.getrusage(resource.RUSAGE_CHILDREN)  # wrk, once it has ended
        return everything - self._server.cpu_seconds - children.ru_utime - children.ru_stime - time.process_time()


def measure(targets: Sequence[Target], connections: Sequence[int], rounds: int, seconds: int, folder: Path) -> Results:
    """Measure every target once in each round, on each number of connections.

    One after the other, every other round backwards, so that the machine's noise meets all alike.

    Args:
        folder: on the disk whose flushes are timed.
    """
    results = Results([_sample(target, 64, WARM_UP, seconds=1) for target in targets])
    for number in track(range(rounds), "Measuring"):
        results.flushes.append(flush_microseconds(folder))
        for many in connections:
            in_turn = targets if number % 2 == 0 else targets[::-1]
            results.samples += [_sample(target, many, number, seconds) for target in in_turn]
    return results


def _sample(target: Target, connections: int, number: int, seconds: int) -> Sample:
    """One burst, and what it cost."""
    server = target.server
    before = server.batches() if target.ledger else (0.0, 0.0)
    others, cpu = Others(server), server.cpu_seconds
    measured = scripted_burst(server.url + target.path, target.script, connections, seconds)
    cpu, busy = server.cpu_seconds - cpu, others.processors()
    after = server.batches() if target.ledger else (0.0, 0.0)
    batches = after[0] - before[0]
    return Sample(
        name=target.name,
        load=target.load,
        connections=connections,
        round=number,
        ledger=target.ledger,
        burst=measured,
        rate=measured.rate,
        cpu_microseconds=cpu / measured.requests * 1e6,
        batch=(after[1] - before[1]) / batches if batches else None,
        others=busy,
    )


def stored(ledger: str, samples: Sequence[Sample], counted: int) -> Stored:
    """Compare what a stopped server has stored with what it had acknowledged."""
    own = [sample for sample in samples if sample.ledger == ledger]
    # wrk goes away without waiting for the last answer on each of its connections.
    unread = sum(sample.connections for sample in own)
    return Stored(ledger, sum(sample.burst.requests for sample in own), unread, counted)
