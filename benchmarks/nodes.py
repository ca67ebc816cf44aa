"""Several servers on one PostgreSQL database and one lake: what hits and counts cost. See README.md."""

import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import httpx
import psycopg
from cyclopts import App, Parameter
from cyclopts.validators import Number
from load import AGENT, Burst, Load, requests_script, require_wrk, scripted_burst
from pageviews import HOST, pixels
from rich.console import Console
from rich.table import Table
from servers import TICKS, Process, tallystick, working_folder

from tallystick.ledger import open_database
from tallystick.model.account import EVERY_SITE, Permission
from tallystick.services.accounts.accounts import NewAccount, account, create_account
from tallystick.services.accounts.sites import NewSite, create_site
from tallystick.services.accounts.tokens import NewToken, create_token

MOST_NODES = 3
PAGEVIEWS, COUNTS = "pageviews", "counts"
MANY = Load("/hit/example.com/key-", 10_000)
CONNECTIONS = 32
ALONE = 20
"""How often the time from a hit to a report of another node is measured."""
EVERYTHING = {"start": "2000-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z"}

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="nodes.py", help=__doc__)
console = Console()


class Cost(NamedTuple):
    """What a load has cost, in processor seconds a million requests."""

    rate: float
    nodes: float
    database: float


class Place(NamedTuple):
    """Where the nodes are."""

    folder: Path
    url: str
    token: str


@app.default
def main(database: str, *, seconds: AtLeastOne = 10) -> None:
    """Measure one, two and three nodes, one after the other.

    Args:
        database: postgresql:// URL of an empty database on this machine, whose directory this account can read.
        seconds: of each load.
    """
    require_wrk()
    table = Table(
        "nodes", "load", "requests/s", "CPU s a million: nodes", "PostgreSQL", "hit to report ms, p50", "most"
    )
    with working_folder() as folder:
        place = Place(folder, database, _prepare(database, folder))
        pageviews = requests_script(folder / "pixel.txt", "GET", pixels(""))
        loads = {PAGEVIEWS: ("", pageviews), COUNTS: (MANY.path, MANY.script(1))}
        for number in range(1, MOST_NODES + 1):
            with _nodes(place, number) as nodes:
                for name, (path, script) in loads.items():
                    cost = _measured(place, nodes, path, script, seconds)
                    late = _hit_to_report(place, nodes) if name == PAGEVIEWS else []
                    times = (f"{statistics.median(late):.0f}", f"{max(late):.0f}") if late else ("", "")
                    figures = (f"{cost.rate:,.0f}", f"{cost.nodes:.0f}", f"{cost.database:.0f}")
                    table.add_row(str(number), name, *figures, *times)
    console.print(table)


def _prepare(database: str, folder: Path) -> str:
    """Create a site. Returns a token of its owner."""
    ledger = open_database(database, folder)
    ledger.migrate()
    now = round(time.time() * 1_000)
    with closing(ledger.session(writes=True)) as session, session.transaction():
        person = create_account(session, NewAccount(email="owner@example.com", password="-"), now)  # noqa: S106  # nobody logs in
        create_site(session, person, NewSite(cname=HOST), now)
        owner = account(session, person.id)
        assert owner is not None
        permissions = sum(set(Permission) - {Permission.NOTHING})
        return create_token(session, owner, NewToken(name="bench", permissions=permissions, sites=(EVERY_SITE,)), now)[
            1
        ]


@contextmanager
def _nodes(place: Place, number: int) -> Iterator[Sequence[Process]]:
    options = (
        "--database",
        place.url,
        "--lake",
        str(place.folder / "lake"),
        "--rate-limit",
        "off",
        "--trusted-proxy",
        "127.0.0.1",
    )
    with ExitStack() as running:
        yield [
            running.enter_context(tallystick(place.folder / f"node-{number}-{each}", *options))
            for each in range(number)
        ]


def _measured(place: Place, nodes: Sequence[Process], path: str, script: str, seconds: int) -> Cost:
    """One load on all nodes at once, until everything is in the lake."""
    _total(place, nodes[0])
    before, database = sum(node.cpu_seconds for node in nodes), _database_cpu(place.url)
    began = time.perf_counter()

    def one(node: Process) -> Burst:
        return scripted_burst(node.url + path, script, CONNECTIONS // len(nodes), seconds)

    with ThreadPoolExecutor(len(nodes)) as clients:
        requests = sum(each.requests for each in clients.map(one, nodes))
    took = time.perf_counter() - began
    _total(place, nodes[0])
    million = requests / 1_000_000
    used = sum(node.cpu_seconds for node in nodes) - before
    return Cost(requests / took, used / million, (_database_cpu(place.url) - database) / million)


def _hit_to_report(place: Place, nodes: Sequence[Process]) -> list[float]:
    """Milliseconds from sending a hit to one node until a report of another has it."""
    times, seen, headers = [], _total(place, nodes[0]), {"host": HOST, "user-agent": AGENT}
    with httpx.Client() as client:
        for number in range(ALONE):
            began = time.perf_counter()
            client.get(
                f"{nodes[number % len(nodes)].url}/count",
                params={"p": f"/alone-{len(nodes)}-{number}"},
                headers=headers,
            )
            seen += 1
            if _total(place, nodes[(number + 1) % len(nodes)]) != seen:
                msg = "a report lacks a hit that was acknowledged before"
                raise SystemExit(msg)
            times.append((time.perf_counter() - began) * 1_000)
    return times


def _total(place: Place, node: Process) -> int:
    """What a report says; it includes everything that was acknowledged."""
    headers = {"host": HOST, "authorization": f"Bearer {place.token}"}
    response = httpx.get(f"{node.url}/api/v0/stats/total", params=EVERYTHING, headers=headers, timeout=120)
    response.raise_for_status()
    return int(response.json()["total"])


def _database_cpu(url: str) -> float:
    """Processor seconds of PostgreSQL's processes so far, of those that have ended, too."""
    with psycopg.connect(url) as connection:
        [directory] = connection.execute("SHOW data_directory").fetchone() or ("",)
    postmaster = int((Path(directory) / "postmaster.pid").read_text("ascii").split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text("ascii").split()
    of_all = [_ticks(postmaster, 11, 12, 13, 14), *(_ticks(int(child), 11, 12) for child in children)]
    return sum(of_all) / TICKS


def _ticks(pid: int, *fields: int) -> int:
    """Sums of fields of ``/proc/PID/stat``: processor time, and that of ended children."""
    try:
        values = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return sum(int(values[field]) for field in fields)


if __name__ == "__main__":
    app()
