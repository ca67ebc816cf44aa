"""Cost of the history of public counters: questions, pictures, thinning out, disk. See README.md."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import counters
from cyclopts import App, Parameter
from cyclopts.validators import Number
from report import machine
from rich.console import Console
from rich.table import Table

from tallystick.ledger import Ledger, Session, open_database
from tallystick.ledger.history import HistoryChanges, PastHour
from tallystick.model.counter import HOUR_MS, LIFETIME_MS, Counter
from tallystick.model.counter_intervals import kept_at
from tallystick.model.key import LANES, Key, lane_of
from tallystick.services.counting.history import CounterHistory, HistoryQuestion, counter_history
from tallystick.services.counting.thinning import HistoryThinning, WalkPlace, thin_out
from tallystick.surfaces.counters.history.forms import as_json, as_svg

HERE = Path(__file__).resolve()
THREE_YEARS_H = 3 * 8_766
HOURS_EACH = 3
"""Past hours of each of the other counters."""
QUESTIONS = (
    ("all, by month", HistoryQuestion(interval="month")),
    ("a year, by day", HistoryQuestion(period="365d", interval="day", timezone="Europe/Berlin")),
    ("80 days, by hour", HistoryQuestion(period="80d", interval="hour", timezone="Europe/Berlin")),
)
WHOLE, THINNED = Key("history", "whole"), Key("history", "thinned")
"""Each with a change in every hour of three years; of the second one what is left when they are thinned out."""

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="histories.py", help=__doc__)
console = Console(width=120)


@app.default
def main(*, many: AtLeastOne = 1_000_000, rounds: AtLeastOne = 30) -> None:
    """Measure: some two minutes, most of it to make the counters.

    Args:
        many: counters beside the two with long histories.
        rounds: how often each question is asked.
    """
    with TemporaryDirectory(dir=HERE.parent.parent) as scratch:
        folder = Path(scratch)
        counters.create(None, folder, counters.numbered(many))
        before = _file_bytes(folder)
        now = time.time_ns() // 1_000_000
        _add_histories(folder, many, now)
        added = _file_bytes(folder) - before
        console.print(
            f"{many:,} counters: {before / 1e6:,.0f} MB, their {HOURS_EACH * many:,} past hours {added / 1e6:,.0f} MB"
        )
        asyncio.run(_measure(folder, many, rounds, now))


def _add_histories(folder: Path, many: int, now: int) -> None:
    session = open_database(None, folder).session()
    hour, value = now // HOUR_MS, counters.FIRST_VALUE
    counter = Counter(value, 0, 1, False, now, now + LIFETIME_MS, 1, hour, value)  # noqa: FBT003
    try:
        for _, lane in groupby(sorted(counters.numbered(many), key=lane_of), key=lane_of):
            while part := list(islice(lane, counters.AT_ONCE)):
                past = [PastHour(key, hour - each, value - each) for key in part for each in range(HOURS_EACH, 0, -1)]
                _keep(session, dict.fromkeys(part, counter), past)
        for key in (WHOLE, THINNED):
            counter = Counter(THREE_YEARS_H, 0, 1, False, now, now + LIFETIME_MS, 1, hour, THREE_YEARS_H - 1)  # noqa: FBT003
            hours = [PastHour(key, hour - THREE_YEARS_H + each, each) for each in range(THREE_YEARS_H - 1)]
            _keep(session, {key: counter}, hours)
        with session.transaction():
            thin_out(session, WalkPlace(lane_of(THINNED), THINNED._replace(key="t")), kept_at(now))
    finally:
        session.close()


def _keep(session: Session, changed: Mapping[Key, Counter], hours: Sequence[PastHour]) -> None:
    with session.transaction():
        session.save(changed, {})
        session.keep_history(HistoryChanges([], list(hours), []))


def _file_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("ledger.sqlite3*"))


async def _measure(folder: Path, many: int, rounds: int, now: int) -> None:
    ledger = await Ledger.open(open_database(None, folder))
    try:
        table = Table("history of", "question", "rows", "answer, ms", "JSON, ms", "SVG, ms", title=machine())
        some = list(islice(counters.numbered(many), 0, many, max(many // rounds, 1)))[:rounds]
        for name, keys in (
            ("one of many", some),
            ("three years of hours", [WHOLE]),
            ("the same, thinned out", [THINNED]),
        ):
            for words, question in QUESTIONS:
                table.add_row(name, words, *await _ask(ledger, keys, question, rounds, now))
        console.print(table)
        await _thin(ledger, many)
    finally:
        await ledger.close()


async def _ask(ledger: Ledger, keys: Sequence[Key], question: HistoryQuestion, rounds: int, now: int) -> Iterator[str]:
    answers, texts, pictures = [list[float](), list[float](), list[float]()]
    history: CounterHistory | None = None
    for number in range(rounds):
        key = keys[number % len(keys)]
        began = time.process_time()
        history = await ledger.read(counter_history, key, question, now)
        answers.append(time.process_time() - began)
        assert history is not None
        for form, times in ((as_json, texts), (as_svg, pictures)):
            began = time.process_time()
            form(history)
            times.append(time.process_time() - began)
    assert history is not None
    rows = f"{len(history.sums):,}"
    return iter((rows, *(f"{min(times) * 1000:.1f}" for times in (answers, texts, pictures))))


async def _thin(ledger: Ledger, many: int) -> None:
    """A day's whole walk over all lanes."""
    thinning = HistoryThinning(ledger)
    steps: list[float] = []
    began, used = time.perf_counter(), time.process_time()
    for _ in range(LANES * (many // 5_000 + 2)):
        started = time.perf_counter()
        await thinning.work()
        steps.append(time.perf_counter() - started)
        if steps[-1] < 1e-4:  # all done
            break
    took, cpu = time.perf_counter() - began, time.process_time() - used
    console.print(f"thinning out, a day's walk: {took:.1f} s, {cpu:.1f} s of a processor")
    console.print(f"ten of its transactions: {median(steps) * 1000:.0f} ms, at most {max(steps) * 1000:.0f} ms")


if __name__ == "__main__":
    app()
