"""How long questions take on a lake, beside the embedded file on the same DuckDB; and what moving and chores cost.

Runs in the environment of the shared warehouse: .venv-nodes/bin/python benchmarks/lake.py
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from statistics import median
from typing import Annotated
from zoneinfo import ZoneInfo

import hits
import servers
from cyclopts import App, Parameter
from cyclopts.validators import Number
from report import machine, timed
from rich.console import Console
from rich.progress import track
from rich.table import Table

from questions import DAYS, MEMORY_MB, QUESTIONS, question

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.postgres import Postgres
from tallystick.ledger.database import opened
from tallystick.ledger.postgresql import PostgresqlDatabase
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.storage import DuckDbStorage
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE, Store, transaction
from tallystick.warehouse.lake.chores import HIT_TABLES, SIZES_MB, Chores
from tallystick.warehouse.lake.storage import LakeStorage
from tallystick.warehouse.lake.store import LakeStore

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="lake.py", help=__doc__)
console = Console(width=120)


@app.default
def main(
    *, data: Path | None = None, count: AtLeastOne = hits.HITS, times: AtLeastOne = 5, zone: str = "Europe/Berlin"
) -> None:
    """Measure: some minutes.

    Args:
        data: a folder that ``hits.py`` has made; without one it is made and removed.
        count: hits to make.
        times: each question is asked so often.
        zone: of days and hours.
    """
    console.print(machine())
    with hits.made(data, count) as folder, servers.working_folder() as work, Postgres.started() as server:
        store = Store(folder / WAREHOUSE_FILE, MEMORY_MB)
        store.open()
        with store.session() as session:
            embedded = _asked(session, times, ZoneInfo(zone))
        store.close()
        copy, size = work / "copy", (folder / WAREHOUSE_FILE).stat().st_size
        _took("copy of the embedded file for a backup", partial(DuckDbStorage(folder).copy_to, copy, None))
        with server.fresh_database() as url:
            files = str(work / "lake")
            storage = LakeStorage(partial(opened, PostgresqlDatabase(url)), url, files)
            _took("into the lake", partial(storage.replace, copy))
            stored = storage.count()
            console.print(f"{stored:,} hits: {size / stored:.1f} bytes each embedded", end=", ")
            console.print(f"{storage.size_bytes() / stored:.1f} in the lake")
            reading = LakeStore(url, files, MEMORY_MB, work=work / "reading")
            reading.open()
            with reading.session() as session:
                _print(embedded, _asked(session, times, ZoneInfo(zone)))
            reading.close()
            with storage.writing() as session:
                _chores(session)


def _asked(session: DuckDbSession, times: int, zone: ZoneInfo) -> dict[tuple[str, int], float]:
    """The median of each question and period, in milliseconds."""
    return {
        (name, days): median(timed(partial(session.answer, question(name, days, zone)), times).measured)
        for name in track(list(QUESTIONS), transient=True)
        for days in DAYS
    }


def _print(embedded: dict[tuple[str, int], float], lake: dict[tuple[str, int], float]) -> None:
    table = Table("embedded / lake, p50, ms", *(f"{days} days" for days in DAYS))
    for name in QUESTIONS:
        table.add_row(name, *(f"{embedded[name, days]:.0f} / {lake[name, days]:.0f}" for days in DAYS))
    sums = (
        f"{sum(embedded[name, days] for name in QUESTIONS):.0f} / {sum(lake[name, days] for name in QUESTIONS):.0f}"
        for days in DAYS
    )
    table.add_row("all together", *sums)
    console.print(table)


def _chores(session: DuckDbSession) -> None:
    chores, connection = Chores(grace_s=0), session.connection

    def delete_path() -> None:
        with transaction(connection):
            session.delete_paths(1, [2])

    _took("deletion of a path", delete_path)
    for table in HIT_TABLES:
        _in_pieces(f"files of {table} written anew without it", partial(chores.rewrite, connection, table, 0.0))
    for table, size in product(HIT_TABLES, SIZES_MB):
        _in_pieces(f"small files of {table} merged", partial(chores.merge, connection, table, size))
    _in_pieces("snapshots ended, files removed", partial(chores.expire, connection))
    chores.look(connection)
    console.print(str(chores.counts))


def _in_pieces(what: str, piece: Callable[[], bool]) -> None:
    """A chore, piece by piece: between two of them hits are moved."""
    began, used, times = time.perf_counter(), time.process_time(), [time.perf_counter()]
    while piece():
        times.append(time.perf_counter())
    longest = max((after - before for before, after in pairwise(times)), default=0.0)
    console.print(
        f"{what}: {time.perf_counter() - began:.1f} s, {time.process_time() - used:.1f} s of processor time,"
        f" {len(times) - 1} pieces, the longest {longest:.1f} s"
    )


def _took(what: str, work: Callable[[], object]) -> None:
    began, used = time.perf_counter(), time.process_time()
    work()
    console.print(f"{what}: {time.perf_counter() - began:.1f} s, {time.process_time() - used:.1f} s of processor time")


if __name__ == "__main__":
    app()
