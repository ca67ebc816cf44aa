"""Cost of exporting and importing hits on the command line. See README.md."""

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.table import Table

from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

HITS = 1_000_000
IMPORTED = 200_000
"""Lines of the file that is imported; it is the beginning of the exported one."""

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="moving.py", help=__doc__)
console = Console()


class Cost(NamedTuple):
    """Cost of a command.

    Attributes:
        memory: the peak, in MB.
        messages: what it said on standard error.
    """

    seconds: float
    cpu: float
    memory: float
    messages: str


@app.default
def main(*, hits: AtLeastOne = HITS, imported: AtLeastOne = IMPORTED) -> None:
    """Export a site in every format, and import hits into an empty one.

    Args:
        hits: how many the site has.
        imported: how many are imported.
    """
    with tempfile.TemporaryDirectory(prefix="tallystick-moving-") as folder:
        place = Path(folder)
        full, empty = place / "full", place / "empty"
        # In a process of its own: what this one holds would be counted as the commands' memory.
        make = [sys.executable, Path(__file__).with_name("hits.py"), full, "--hits", str(hits), "--exported"]
        subprocess.run(make, check=True)
        empty.mkdir()
        shutil.copy(full / "ledger.sqlite3", empty)
        table = Table("command", "hits", "hits/s", "CPU µs a hit", "MB of memory", "bytes a hit")
        for name in ("hits.csv.gz", "statistics.zip", "hits.parquet"):
            cost = measured("export", place / name, "--data", full)
            if name != "statistics.zip":  # which tells how many statistics it has
                check(cost, hits)
            size = (place / name).stat().st_size / hits
            table.add_row(f"export {name}", *shown(cost, hits), f"{size:.1f}")
        part = place / "part.csv"
        with gzip.open(place / "hits.csv.gz") as stream:
            part.write_bytes(b"".join(islice(stream, imported + 1)))
        cost = measured("import", part, "--data", empty)
        check(cost, imported)
        size = (empty / WAREHOUSE_FILE).stat().st_size / imported
        table.add_row("import part.csv", *shown(cost, imported), f"{size:.1f}")
        console.print(table)


def check(cost: Cost, hits: int) -> None:
    """See that a command has done what is measured; ``hits.py`` makes a few hits less than it is asked for.

    Raises:
        RuntimeError: it has not.
    """
    said = re.search(r"([0-9,]+) hits", cost.messages)
    if said is None or not 0.99 * hits <= int(said[1].replace(",", "")) <= hits:
        msg = f"{hits:,} hits were expected, but the command said: {cost.messages}"
        raise RuntimeError(msg)


def measured(*arguments: str | Path) -> Cost:
    """Run a command to its end."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tallystick", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    messages = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args, stderr=messages)
    return Cost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, messages)


def shown(cost: Cost, hits: int) -> tuple[str, str, str, str]:
    """Columns of the table."""
    return f"{hits:,}", f"{hits / cost.seconds:,.0f}", f"{cost.cpu / hits * 1e6:.1f}", f"{cost.memory:.0f}"


if __name__ == "__main__":
    app()
