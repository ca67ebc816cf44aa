"""The ledger without HTTP: operations on counters by a fixed number of clients in one process. See README.md."""

import asyncio
import gc
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import uvloop
from counters import HOT, create, numbered
from cyclopts import App, Parameter
from cyclopts.validators import Number
from disk import flush_microseconds
from msgspec import Struct, json
from rich.console import Console
from rich.table import Table

from tallystick.ledger import Ledger, open_database
from tallystick.model.counter import HIT, Outcome
from tallystick.model.key import Key

KEYS = 10_000
HERE = Path(__file__).resolve()

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="ledger.py", help=__doc__)


class Burst(Struct):
    """What one process measured.

    Attributes:
        loop, writer, cpu: processor microseconds a hit of the event loop, of the writer, and of all threads.
        p50: milliseconds from handing a hit in to its result.
    """

    rate: float
    loop: float
    writer: float
    cpu: float
    p50: float


class Client:
    """Sends a hit, and the next one when it is durable. Stands where a future would, as a hot request does."""

    __slots__ = ("_drawn", "_latencies", "_ledger", "_loop", "_started", "_work", "hits", "stopped")

    def __init__(self, ledger: Ledger, keys: Sequence[Key], work: int, latencies: list[float]) -> None:
        self._ledger, self._loop, self._latencies = ledger, asyncio.get_running_loop(), latencies
        self._drawn = random.choices(keys, k=4096)
        self._work = range(work)
        self._started = 0.0
        self.hits, self.stopped = 0, False

    def send(self) -> None:
        """Hand one hit in; before that, use the processor as the HTTP server would."""
        for _ in self._work:
            pass
        self._started = time.perf_counter()
        self._ledger.count_into(self, self._drawn[self.hits & 4095], HIT)

    def done(self) -> bool:
        """Whether nobody waits any more."""
        return False

    def set_result(self, result: Outcome) -> None:
        """Count a hit, and send the next one in the loop's next round."""
        assert result.refused is None
        self.hits += 1
        if self.hits & 63 == 0:
            self._latencies.append(time.perf_counter() - self._started)
        if not self.stopped:
            self._loop.call_soon(self.send)

    def set_exception(self, error: Exception) -> None:
        """End the run."""
        raise error


@app.command
def burst(folder: Path, keys: int, clients: int, seconds: float, work: int) -> None:
    """Measure once and print the figures as JSON: run by the parent process."""
    drawn = [HOT] if keys == 1 else list(numbered(keys))
    create(None, folder, drawn)
    gc.freeze()
    gc.disable()
    sys.stdout.buffer.write(json.encode(uvloop.run(_burst(folder, drawn, clients, seconds, work))))


async def _burst(folder: Path, keys: Sequence[Key], clients: int, seconds: float, work: int) -> Burst:
    ledger = await Ledger.open(open_database(None, folder))
    latencies: list[float] = []
    running = [Client(ledger, keys, work, latencies) for _ in range(clients)]
    for client in running:
        client.send()
    await asyncio.sleep(0.3)
    before, started, cpu = sum(client.hits for client in running), time.perf_counter(), _cpu()
    latencies.clear()
    await asyncio.sleep(seconds)
    used = {name: nanoseconds - cpu.get(name, 0) for name, nanoseconds in _cpu().items()}
    elapsed, hits = time.perf_counter() - started, sum(client.hits for client in running) - before
    result = Burst(
        rate=hits / elapsed,
        loop=used["MainThread"] / hits / 1e3,
        writer=used["ledger-writer-0"] / hits / 1e3,
        cpu=sum(used.values()) / hits / 1e3,
        p50=median(latencies) * 1e3 if latencies else 0.0,
    )
    for client in running:
        client.stopped = True
    await asyncio.sleep(0.1)
    await ledger.close()
    return result


def _cpu() -> dict[str, int]:
    """Nanoseconds of processor time by the name of the thread."""
    return {
        thread.name: int(Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()[0])
        for thread in threading.enumerate()
    }


@app.default
def main(
    *sources: Path,
    clients: tuple[int, ...] = (1, 64, 256),
    rounds: AtLeastOne = 5,
    seconds: float = 1.5,
    work: int = 150,
) -> None:
    """Measure checkouts in turns.

    Args:
        sources: the src folders of the checkouts; this one without any.
        clients: how many hits are outstanding.
        rounds: every burst is measured once in each round.
        seconds: length of a burst.
        work: turns of an empty loop that the event loop makes for each hit, in the place of an HTTP server.
    """
    folders = sources or (HERE.parent.parent / "src",)
    results: dict[tuple[int, int, Path], list[Burst]] = {}
    with TemporaryDirectory(dir=HERE.parent.parent) as scratch:
        flush = flush_microseconds(Path(scratch))
        for number in range(rounds):
            for keys in (1, KEYS):
                for outstanding in clients:
                    for source in folders if number % 2 else folders[::-1]:
                        data = Path(scratch, f"{source.parent.name}-{keys}-{outstanding}-{number}")
                        measured = _run(source, data, keys, outstanding, seconds, work)
                        results.setdefault((keys, outstanding, source), []).append(measured)
    _report(results, flush)


def _run(source: Path, data: Path, *arguments: float) -> Burst:
    command = [sys.executable, str(HERE), "burst", str(data), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(source.resolve())}
    return json.decode(subprocess.run(command, check=True, env=environment, capture_output=True).stdout, type=Burst)


def _report(results: dict[tuple[int, int, Path], list[Burst]], flush: float) -> None:
    columns = ("keys", "clients", "checkout", "hits/s", "to first", "p50 ms", "event loop µs", "writer µs", "CPU µs")
    table = Table(*columns, title=f"one disk flush {flush / 1000:.2f} ms")
    first: dict[tuple[int, int], list[Burst]] = {}
    for (keys, clients, source), bursts in sorted(results.items(), key=lambda each: each[0][:2]):
        base = first.setdefault((keys, clients), bursts)
        ratio = median(mine.rate / other.rate for mine, other in zip(bursts, base, strict=True))
        figures = [median(getattr(each, name) for each in bursts) for name in ("p50", "loop", "writer", "cpu")]
        rate = f"{median(each.rate for each in bursts):,.0f}"
        name = source.resolve().parent.name
        table.add_row(f"{keys:,}", str(clients), name, rate, f"{ratio:.2f}", *(f"{each:.2f}" for each in figures))
    Console(width=120).print(table)


if __name__ == "__main__":
    app()
