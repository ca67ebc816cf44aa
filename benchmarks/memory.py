"""How much memory the dearest questions take: of a process that asks one after the other. See README.md."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, Timer
from typing import Annotated
from zoneinfo import ZoneInfo

import duckdb
import hits
from cyclopts import App, Parameter
from cyclopts.validators import Number
from report import machine
from rich.console import Console
from rich.progress import track
from rich.table import Table

import questions
from tallystick.model.dimensions import (
    BROWSER,
    ENTRY_PAGE,
    EXIT_PAGE,
    HOST,
    NEXT_PAGE,
    PAGE,
    PREVIOUS_PAGE,
    SOURCE,
    SYSTEM,
)
from tallystick.model.metrics import Metric
from tallystick.model.period import DAY_S, period
from tallystick.model.question import AnyOf, HasDone, Match, Question, TimeUnit
from tallystick.services.analytics.questions import MOST_GROUPS, WITHIN_S
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import SPILLED_DIRECTORY, WAREHOUSE_FILE, Store

SAMPLED_EACH_S = 0.01
_ALL, _VISITORS, _MINUTE = tuple(Metric), (Metric.VISITORS,), TimeUnit.MINUTE
_NOT_ONE_PAGE = Match(dimension=PAGE, values=(1,), negated=True)
DEAREST: Mapping[str, questions.Asked] = {
    "all metrics by page and host": (_ALL, (PAGE, HOST), questions.EVERYTHING),
    "all metrics by minute": (_ALL, (_MINUTE,), questions.EVERYTHING),
    "all metrics by source, browser, system and minute": (
        _ALL,
        (SOURCE, BROWSER, SYSTEM, _MINUTE),
        questions.EVERYTHING,
    ),
    "visitors by page, source and day": (_VISITORS, (PAGE, SOURCE, TimeUnit.DAY), questions.EVERYTHING),
    "visitors by page and its neighbours": (_VISITORS, (PREVIOUS_PAGE, PAGE, NEXT_PAGE), questions.EVERYTHING),
    "all metrics of pages before others": (_ALL, (), Match(dimension=NEXT_PAGE, values=(1,), negated=True)),
    "all metrics by entry and exit of who saw others": (_ALL, (ENTRY_PAGE, EXIT_PAGE), HasDone(_NOT_ONE_PAGE)),
    "visitors who saw one of ten pages": (
        _VISITORS,
        (),
        AnyOf(tuple(HasDone(Match(dimension=PAGE, values=(number,))) for number in range(1, 11))),
    ),
}
"""Beyond what a dashboard asks: most of a year's hits are sorted or grouped by something."""

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="memory.py", help=__doc__)
console = Console(width=120)


class Peak:
    """The most memory of this process and the most bytes of a folder, while a block runs, in MB."""

    def __init__(self, spilled: Path) -> None:
        self.memory = self.disk = 0.0
        self._spilled, self._over = spilled, Event()

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Sample while the block runs."""
        thread = Thread(target=self._sample)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _sample(self) -> None:
        page = os.sysconf("SC_PAGESIZE")
        while not self._over.wait(SAMPLED_EACH_S):
            resident = int(Path("/proc/self/statm").read_text("ascii").split()[1]) * page
            self.memory = max(self.memory, resident / (1 << 20))
            self.disk = max(self.disk, sum(_size(file) for file in self._spilled.glob("*")) / (1 << 20))


@app.default
def main(*, data: Path | None = None, count: AtLeastOne = hits.HITS, memory: AtLeastOne = questions.MEMORY_MB) -> None:
    """Measure over a year: up to five minutes.

    Args:
        data: a folder that ``hits.py`` has made; without one it is made and removed.
        count: hits to make.
        memory: of DuckDB, in MB.
    """
    console.print(machine())
    with hits.made(data, count) as folder:
        store = Store(folder / WAREHOUSE_FILE, memory)
        store.open()
        try:
            with store.session() as session:
                _measure(session, folder / SPILLED_DIRECTORY)
        finally:
            store.close()


def _measure(session: DuckDbSession, spilled: Path) -> None:
    table = Table("a year", "s", "MB of memory", "MB on the disk", "answered")
    for name, (metrics, dimensions, condition) in track(
        list({**questions.QUESTIONS, **DEAREST}.items()), transient=True
    ):
        question = Question(
            sites=(1,),
            period=period(questions.ENDS - 365 * DAY_S, questions.ENDS - 1, ZoneInfo("Europe/Berlin")),
            metrics=metrics,
            dimensions=dimensions,
            condition=condition,
            limit=MOST_GROUPS,
        )
        peak, began = Peak(spilled), time.perf_counter()
        with peak.measured():
            outcome = _asked(session, question)
        took = time.perf_counter() - began
        table.add_row(name, f"{took:.1f}", f"{peak.memory:.0f}", f"{peak.disk:.0f}", outcome)
    console.print(table)


def _asked(session: DuckDbSession, question: Question) -> str:
    """What came of it: a server interrupts a question at its deadline."""
    deadline = Timer(WITHIN_S, session.connection.interrupt)
    deadline.start()
    try:
        rows = len(session.answer(question).rows)
    except duckdb.InterruptException:
        return "given up"
    except duckdb.OutOfMemoryException:
        return "refused: too little memory"
    finally:
        deadline.cancel()
    return f"{rows:,} rows"


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


if __name__ == "__main__":
    app()
