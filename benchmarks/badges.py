"""Cost of badges beside that of reading and counting the same counter. See README.md."""

from collections.abc import Sequence
from statistics import median
from typing import Annotated, NamedTuple

from cyclopts import App, Parameter
from cyclopts.validators import Number
from load import Load, burst, require_wrk
from report import machine
from rich.console import Console
from rich.table import Table
from servers import Process, tallystick, working_folder

READ = "get"
"""The yardstick."""
COUNTER = "bench.example/visits"
LOOKS = 1_000_000
"""So many labels that hardly one is asked for twice while it is kept."""
TARGETS = {
    READ: Load(f"/get/{COUNTER}"),
    "badge, kept": Load(f"/badge/{COUNTER}.svg"),
    "badge of 7 days": Load(f"/badge/{COUNTER}.svg?since=7d&sparkline"),
    "badge as JSON, kept": Load(f"/badge/{COUNTER}.json"),
    "badge, drawn anew": Load(f"/badge/{COUNTER}.svg?label=", keys=LOOKS),
    "badge as PNG, drawn anew": Load(f"/badge/{COUNTER}.png?label=", keys=LOOKS),
    "hit": Load(f"/hit/{COUNTER}"),
    "badge that counts": Load(f"/badge/{COUNTER}.svg?count"),
}

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="badges.py", help=__doc__)


class Spent(NamedTuple):
    """Requests a second, and microseconds of processor time a request."""

    rate: float
    cpu: float


@app.default
def main(*, connections: AtLeastOne = 32, seconds: AtLeastOne = 3, rounds: AtLeastOne = 3) -> None:
    """Ask for every kind of badge, and for the counter itself.

    Args:
        connections: that ask at once.
        seconds: of each burst.
        rounds: every other one goes backwards.
    """
    require_wrk()
    console, targets = Console(width=120), list(TARGETS)
    with working_folder() as folder, tallystick(folder / "data", "--rate-limit", "off") as server:
        burst(server.url, Load(f"/hit/{COUNTER}"), 1, 1)
        measured = [
            {name: spent(server, TARGETS[name], connections, seconds) for name in ordered(targets, number)}
            for number in range(rounds)
        ]
    table = Table(title=f"{connections} connections, {machine()}")
    for heading in ("what", "requests/s", "CPU µs", "CPU of get"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name in targets:
        rate, cpu = (median(row[name][place] for row in measured) for place in (0, 1))
        ratio = median(row[name].cpu / row[READ].cpu for row in measured)
        table.add_row(name, f"{rate:,.0f}", f"{cpu:,.0f}", f"{ratio:.1f}")
    console.print(table)


def ordered(names: Sequence[str], number: int) -> Sequence[str]:
    """The names in the order of a round."""
    return names if number % 2 == 0 else names[::-1]


def spent(server: Process, load: Load, connections: int, seconds: int) -> Spent:
    """Ask as fast as answers arrive."""
    before = server.cpu_seconds
    done = burst(server.url, load, connections, seconds)
    return Spent(done.rate, (server.cpu_seconds - before) / done.requests * 1e6)


if __name__ == "__main__":
    app()
