"""The processor time of a batch of hits, without an event loop and without HTTP. See README.md."""

import gc
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import IO, Annotated

from counters import FIRST_VALUE, numbered
from cyclopts import App, Parameter
from cyclopts.validators import Number
from report import machine
from rich.console import Console
from rich.table import Table

from tallystick.ledger import Session, open_database
from tallystick.ledger.folding import CounterWrite, fold
from tallystick.model.counter import HIT, Create

KEYS = 10_000
TURNS = 25
"""Batches of a turn, of which the cheapest counts."""
DRAWN = 200
HERE = Path(__file__).resolve()

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="batches.py", help=__doc__)


@app.command
def turns(keys: int, size: int) -> None:
    """Measure a turn for each line of input, and print processor microseconds a hit: run by the parent process."""
    now = time.time_ns() // 1_000_000
    names = list(numbered(keys))
    with TemporaryDirectory(dir=HERE.parent.parent) as folder:
        database = open_database(None, Path(folder), "relaxed")
        database.migrate()
        session = database.session(writes=True)
        for operation in (Create(FIRST_VALUE, 0, 1), HIT):
            with session.transaction():
                fold(session, [CounterWrite(key, operation) for key in names], now)
        draw = random.Random(1)
        batches = [[CounterWrite(key, HIT) for key in draw.choices(names, k=size)] for _ in range(DRAWN)]
        gc.freeze()
        gc.disable()
        for number, _ in enumerate(sys.stdin):
            least = min(_batch(session, batches[(number * TURNS + turn) % DRAWN], now) for turn in range(TURNS))
            sys.stdout.write(f"{least / size / 1e3}\n")
            sys.stdout.flush()
        session.close()


def _batch(session: Session, batch: Sequence[CounterWrite], now: int) -> int:
    """Nanoseconds of this thread for one transaction."""
    started = time.thread_time_ns()
    with session.transaction():
        fold(session, batch, now)
    return time.thread_time_ns() - started


@app.default
def main(*sources: Path, sizes: tuple[int, ...] = (16, 64, 256), rounds: AtLeastOne = 40) -> None:
    """Measure checkouts in turns: some ten seconds for each.

    Args:
        sources: the src folders of the checkouts; this one without any.
        sizes: hits in a batch.
        rounds: turns of each checkout.
    """
    folders = sources or (HERE.parent.parent / "src",)
    table = Table("keys", "hits in a batch", "checkout", "least µs", "lower quartile µs", "to first", title=machine())
    for keys in (1, KEYS):
        for size in sizes:
            results = _alternate(folders, keys, size, rounds)
            first = min(results[0])
            for folder, times in zip(folders, results, strict=True):
                name = folder.resolve().parent.name
                figures = (f"{min(times):.2f}", f"{quantiles(times)[0]:.2f}", f"{min(times) / first:.2f}")
                table.add_row(f"{keys:,}", str(size), name, *figures)
    Console(width=120).print(table)


def _alternate(folders: Sequence[Path], keys: int, size: int, rounds: int) -> list[list[float]]:
    """Microseconds a hit of each turn, by checkout."""
    results: list[list[float]] = [[] for _ in folders]
    with ExitStack() as stack:
        running = [stack.enter_context(_process(folder, keys, size)) for folder in folders]
        for number in range(rounds):
            order = list(zip(running, results, strict=True))
            for process, times in order if number % 2 else order[::-1]:
                times.append(float(_asked(process.stdin, process.stdout)))
    return results


def _process(folder: Path, keys: int, size: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE), "turns", str(keys), str(size)]
    environment = os.environ | {"PYTHONPATH": str(folder.resolve())}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def _asked(questions: IO[str] | None, answers: IO[str] | None) -> str:
    assert questions is not None
    assert answers is not None
    questions.write("\n")
    questions.flush()
    return answers.readline()


if __name__ == "__main__":
    app()
