"""One, two and three servers on one PostgreSQL and one lake: what hits and counts cost, and how soon others have them.

Runs in the environment of the shared warehouse: .venv-nodes/bin/python benchmarks/nodes.py
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

import httpx
import psycopg
import shared
from cyclopts import App, Parameter
from cyclopts.validators import Number
from listeners import UPGRADE, Counting, Crowd
from load import AGENT, Load, requests_script, require_wrk, scripted_burst
from pageviews import HOST, pixels
from report import machine
from rich.console import Console
from rich.progress import track
from rich.table import Table
from servers import TICKS, Process, tallystick, working_folder
from sharing import increments

from tallystick.ledger import open_database
from tallystick.model.account import EVERY_SITE, Permission
from tallystick.services.accounts.accounts import NewAccount, account, create_account
from tallystick.services.accounts.sites import NewSite, create_site
from tallystick.services.accounts.tokens import NewToken, create_token

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.postgres import Postgres

MOST_NODES = 3
CONNECTIONS = 30
"""Of all clients together; a multiple of each number of nodes."""
ALONE = 20
"""How often a time is measured in each round."""
HOT, MANY = Load("/hit/example.com/hot"), Load("/hit/example.com/key-", 10_000)
EVERYTHING = {"metrics": ["pageviews"], "date_range": "all"}
REPORT, SOCKET = "a hit, to a report", "a press, to a socket"

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="nodes.py", help=__doc__)
console = Console(width=120)


class Cost(NamedTuple):
    """What a load has cost: requests a second, and processor seconds a million requests."""

    rate: float
    nodes: float
    database: float


class Place(NamedTuple):
    """Where the nodes are, and what they have.

    Attributes:
        token: of the site's owner.
        made: shared counters.
    """

    folder: Path
    url: str
    token: str
    made: shared.Shared


class Work(NamedTuple):
    """A load that all nodes get at once.

    Attributes:
        script: of wrk, which requests ``path``.
        stored: how much of it is stored, asked of a node.
    """

    path: str
    script: str
    stored: Callable[[Process], int]


Costs = dict[tuple[str, int], list[Cost]]
"""Of each load and number of nodes, in the order of the rounds."""
Times = dict[tuple[str, int], list[float]]
"""Milliseconds."""


@app.default
def main(*, rounds: AtLeastOne = 2, seconds: AtLeastOne = 5) -> None:
    """Measure: about two minutes for each round.

    Args:
        rounds: in each, one, two and three nodes are measured, one after the other.
        seconds: of each load.
    """
    require_wrk()
    console.print(f"{machine()}; load of the last minute {os.getloadavg()[0]:.1f}")
    costs: Costs = {}
    times: Times = {}
    with working_folder() as folder, Postgres.started() as server, server.fresh_database() as url:
        place = _prepared(folder, url)
        works = _works(place)
        turns = [(turn, number) for turn in range(rounds) for number in range(1, MOST_NODES + 1)]
        for turn, number in track(turns, transient=True, console=console):
            with _nodes(place, turn, number) as nodes:
                for name, work in works.items():
                    costs.setdefault((name, number), []).append(_measured(place, nodes, work, seconds))
                times.setdefault((REPORT, number), []).extend(_hit_to_report(place, nodes))
                times.setdefault((SOCKET, number), []).extend(asyncio.run(_press_to_socket(place, nodes)))
    _print_costs(costs)
    _print_times(times)
    console.print(f"load of the last minute at the end {os.getloadavg()[0]:.1f}")


def _prepared(folder: Path, url: str) -> Place:
    """Create a site, and shared counters."""
    made = shared.prepare(folder / "data", url)
    now = round(time.time() * 1_000)
    with closing(open_database(url, folder).session(writes=True)) as session, session.transaction():
        person = create_account(session, NewAccount(email="owner@example.com", password="-"), now)  # noqa: S106  # nobody logs in
        create_site(session, person, NewSite(cname=HOST), now)
        owner = account(session, person.id)
        assert owner is not None
        permissions = sum(set(Permission) - {Permission.NOTHING})
        wanted = NewToken(name="bench", permissions=permissions, sites=(EVERY_SITE,))
        token = create_token(session, owner, wanted, now)[1]
    return Place(folder, url, token, made)


def _works(place: Place) -> dict[str, Work]:
    """What is measured, by name."""
    pageviews = requests_script(place.folder / "pixels.txt", "GET", pixels(""))
    presses = requests_script(place.folder / "presses.txt", "POST", increments(place.made.hot))
    return {
        "pageviews": Work("", pageviews, lambda node: _pageviews(place, node)),
        MANY.name: Work(MANY.path, MANY.script(1), _public_counts),
        "1 public counter": Work(HOT.path, HOT.script(1), _public_counts),
        "1 shared counter": Work("", presses, lambda _: shared.counted(place.folder / "data", place.url)),
    }


@contextmanager
def _nodes(place: Place, turn: int, number: int) -> Iterator[Sequence[Process]]:
    lake = str(place.folder / "lake")
    options = ("--database", place.url, "--lake", lake, "--rate-limit", "off", "--trusted-proxy", "127.0.0.1")
    with ExitStack() as running:
        yield [
            running.enter_context(tallystick(place.folder / f"node-{turn}-{number}-{each}", *options))
            for each in range(number)
        ]


def _measured(place: Place, nodes: Sequence[Process], work: Work, seconds: int) -> Cost:
    """One load on all nodes at once, until everything is stored. Ends the run if anything was lost or came twice."""
    stored = work.stored(nodes[0])
    before, database = sum(node.cpu_seconds for node in nodes), _database_cpu(place.url)
    began = time.perf_counter()

    def one(node: Process) -> int:
        return scripted_burst(node.url + work.path, work.script, CONNECTIONS // len(nodes), seconds).requests

    with ThreadPoolExecutor(len(nodes)) as clients:
        requests = sum(clients.map(one, nodes))
    took = time.perf_counter() - began
    found = work.stored(nodes[-1]) - stored
    # wrk leaves the last request of each connection unanswered.
    if not requests <= found <= requests + CONNECTIONS:
        sys.exit(f"{work.path or 'a script'}: {requests:,} requests were answered, {found:,} are stored")
    million = requests / 1_000_000
    used = sum(node.cpu_seconds for node in nodes) - before
    return Cost(requests / took, used / million, (_database_cpu(place.url) - database) / million)


def _hit_to_report(place: Place, nodes: Sequence[Process]) -> Iterator[float]:
    """Milliseconds from sending a hit to one node until a report of another has it; with one node, its own."""
    seen, headers = _pageviews(place, nodes[0]), {"host": HOST, "user-agent": AGENT}
    with httpx.Client() as client:
        for number in range(ALONE):
            sender, reader = nodes[number % len(nodes)], nodes[(number + 1) % len(nodes)]
            began = time.perf_counter()
            client.get(f"{sender.url}/count", params={"p": "/alone"}, headers=headers)
            seen += 1
            if _pageviews(place, reader) != seen:
                sys.exit("a report lacks a hit that was acknowledged before")
            yield (time.perf_counter() - began) * 1_000


async def _press_to_socket(place: Place, nodes: Sequence[Process]) -> list[float]:
    """Milliseconds from sending a press to one node until a WebSocket of another has it; with one node, its own."""
    (counter, token), *_ = place.made.hot
    crowd, counting = Crowd(), Counting(nodes[0].url, token, counter)
    await crowd.join(nodes[-1].url, UPGRADE.format(token=token), 1)
    times = []
    for _ in range(ALONE):
        crowd.expect(1)
        began = time.perf_counter()
        await counting.increment()
        await crowd.told()
        times.append((crowd.times[0] - began) * 1_000)
    crowd.leave()
    counting.close()
    return times


def _pageviews(place: Place, node: Process) -> int:
    """What a report says; it includes everything that was acknowledged."""
    headers = {"host": HOST, "authorization": f"Bearer {place.token}"}
    response = httpx.post(f"{node.url}/api/query", json=EVERYTHING, headers=headers, timeout=120)
    response.raise_for_status()
    [row] = response.json()["results"]
    return int(row["metrics"][0])


def _public_counts(node: Process) -> int:
    """How often public counters were changed, all together."""
    response = httpx.get(f"{node.url}/stats", timeout=120)
    response.raise_for_status()
    return int(response.json()["keys_updated"])


def _print_costs(costs: Costs) -> None:
    table = Table("load", "nodes", "requests/s", "to one node", "CPU s a million: nodes", "PostgreSQL")
    for (name, number), found in costs.items():
        ratios = [cost.rate / alone.rate for cost, alone in zip(found, costs[name, 1], strict=True)]
        table.add_row(
            name,
            str(number),
            f"{median(cost.rate for cost in found):,.0f}",
            f"{median(ratios):.2f}",
            f"{median(cost.nodes for cost in found):.0f}",
            f"{median(cost.database for cost in found):.0f}",
        )
    console.print(table)


def _print_times(times: Times) -> None:
    table = Table("from one node to another, ms", *(_nodes_text(number) for number in range(1, MOST_NODES + 1)))
    for name in (REPORT, SOCKET):
        table.add_row(name, *(_spread(times[name, number]) for number in range(1, MOST_NODES + 1)))
    console.print(table)
    console.print("p50 / greatest. With one node, it is to its own report and socket.")


def _nodes_text(number: int) -> str:
    return "1 node" if number == 1 else f"{number} nodes"


def _spread(values: Iterable[float]) -> str:
    ordered = sorted(values)
    return f"{median(ordered):.1f} / {ordered[-1]:.1f}"


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
