"""Several servers on one PostgreSQL and one lake, under load on all of them, and the faults that meet them."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg

from support.analytics import prepare
from support.asking import Answer
from support.lakes import MEMORY_MB, QuickLakeStore
from support.postgres import Postgres
from support.server import RunningServer, running_server
from tallystick.ledger.ledger import milliseconds
from tallystick.model.site import SiteSettings
from tallystick.warehouse.duckdb import visits
from torture.endpoints import ENDPOINTS, Endpoint, Names
from torture.stage import ANSWERED_WITHIN_S, OPTIONS, RECOVERS_WITHIN_S, SUCCESS, Stage, a_clock, a_counter

DYING = Path(__file__).with_name("dying_node.py")
PHASES = ("numbered", "inserted", "committed", "removed", "taking over")
"""Where a node kills itself while it moves hits; see ``dying_node``."""


class StoredHits(NamedTuple):
    """What the lake has.

    Attributes:
        sessions: different ones, of hits that have one.
        paths: different ones.
        differing: visits that are not what their hits say.
    """

    hits: int
    first: int
    last: int
    ids: int
    paths: int
    sessions: int
    differing: int


class Nodes(Stage):
    """A stage with several servers; each request goes to any of those that answer.

    Attributes:
        nodes: the servers; None in the place of one that was killed.
    """

    def __init__(self, folder: Path, url: str, names: Names, postgres: Postgres, chance: random.Random) -> None:
        self.lake, self.url = folder / "lake", url
        self.nodes: list[RunningServer] = []
        self._opened = ExitStack()
        self._frozen: set[int] = set()
        self._numbers = iter(range(1_000))
        first = self.start(folder)
        super().__init__(folder, first, names, chance)
        self.postgres = postgres

    def start(self, folder: Path | None = None, through: Sequence[str] = ()) -> RunningServer:
        """Start another node, with an empty data directory.

        Args:
            through: a command that runs it.
        """
        data = (folder or self.folder) / f"node-{next(self._numbers)}"
        data.mkdir(parents=True)
        node = self._opened.enter_context(
            running_server(
                data,
                *OPTIONS,
                *("--lake", str(self.lake)),
                database=self.url,
                through=through,
                TALLYSTICK_SECRET_KEY="c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=",
            )
        )
        self.nodes.append(node)
        return node

    def ask(self, endpoint: Endpoint, within_s: float = ANSWERED_WITHIN_S, url: str = "") -> Answer | None:
        """Send one request to any node that is not frozen."""
        awake = [node for node in self.nodes if node.process.pid not in self._frozen]
        return super().ask(endpoint, within_s, url or random.choice(awake).url)

    def mover(self) -> RunningServer:
        """The node that brings hits into the lake, once one does."""
        deadline = time.monotonic() + RECOVERS_WITHIN_S
        while True:
            with psycopg.connect(self.url, autocommit=True) as connection:
                row = connection.execute("SELECT epoch FROM tallystick_hits.lease WHERE expires > now()").fetchone()
            said = f"this node is the mover from now on epoch={row[0]}" if row else "-"
            if found := [node for node in self.nodes if said in node.output]:
                return found[0]
            assert time.monotonic() < deadline, "no node is the mover"
            time.sleep(0.1)

    def kill(self, node: RunningServer) -> None:
        """kill -9; requests go to the others from then on."""
        self.nodes.remove(node)
        self.server = self.nodes[0]
        node.kill()

    @contextmanager
    def frozen(self, node: RunningServer) -> Iterator[None]:
        """Let a node's process not run until the end."""
        self._frozen.add(node.process.pid)
        os.kill(node.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(node.process.pid, signal.SIGCONT)
            self._frozen.discard(node.process.pid)

    def stored(self) -> StoredHits:
        """What the lake has, once it has everything that was acknowledged."""
        self.recount()
        store = QuickLakeStore(self.url, str(self.lake / "hits"), MEMORY_MB, work=self.folder / "reader")
        store.open()
        try:
            with store.session() as session:
                row = session.connection.execute(
                    "SELECT count(*), min(id), max(id), count(DISTINCT id), count(DISTINCT path),"
                    " count(DISTINCT session) FILTER (session <> 0) FROM hit"
                ).fetchone()
                assert row is not None
                return StoredHits._make([*row, visits.compare(session.connection).differing])
        finally:
            store.close()

    def judge(self) -> StoredHits:
        """Everything acknowledged is in the lake once, with rising ids without a hole, as one server has it.

        Every page of the load is another one, and all of its visitors are the same.
        """
        stored = self.stored()
        assert stored.hits == stored.ids == stored.paths, stored
        assert (stored.first, stored.last) == (1, stored.hits), stored
        assert (stored.sessions, stored.differing) == (1, 0), stored
        return stored

    def close(self) -> None:
        """Stop all nodes."""
        super().close()
        self._opened.close()


@contextmanager
def some_nodes(folder: Path, seed: int, number: int) -> Iterator[Nodes]:
    """Start a database and so many nodes."""
    with Postgres.started() as postgres, postgres.fresh_database(kept=True) as url:
        site = prepare(folder, database=url, settings=SiteSettings(allow_counter=True), now=milliseconds())
        nodes = Nodes(folder, url, Names(site.token, "example.com/visits", ""), postgres, random.Random(seed))
        try:
            nodes.names = nodes.names._replace(counter=a_counter(nodes.server.url, site.token))
            for _ in range(number - 1):
                nodes.start()
            yield nodes
        finally:
            nodes.close()


BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def total(nodes: Nodes, node: RunningServer) -> int:
    """What the report of one node says now."""
    answer = Stage.ask(nodes, BY_NAME["total"], url=node.url)
    assert answer is not None
    assert answer.status in SUCCESS, answer
    return int(answer.json()["total"])


def reports_see_hits_of_others(nodes: Nodes, hits: int = 5) -> None:
    """A hit on one node is in the next report of another, without load."""
    seen = total(nodes, nodes.nodes[0])
    for number in range(hits):
        one, other = nodes.nodes[number % len(nodes.nodes)], nodes.nodes[(number + 1) % len(nodes.nodes)]
        answer = Stage.ask(nodes, BY_NAME["pixel"], url=one.url)
        assert answer is not None
        assert answer.status in SUCCESS
        assert total(nodes, other) == seen + number + 1


# Faults: each lasts for the call, under load.


def a_node_is_killed(nodes: Nodes) -> None:
    """One that is not the mover; another one is started in its place."""
    mover = nodes.mover()
    nodes.kill(next(node for node in nodes.nodes if node is not mover))
    nodes.start()


def the_mover_is_killed(nodes: Nodes) -> None:
    """At any moment of its work."""
    time.sleep(nodes.chance.random())
    nodes.kill(nodes.mover())
    nodes.start()


def postgresql_is_killed(nodes: Nodes) -> None:
    """As by a crash; it starts again."""
    assert nodes.postgres is not None
    nodes.postgres.restart()


def frozen_for(seconds: float) -> Callable[[Nodes], None]:
    """The mover is frozen, and goes on after another one has taken over."""

    def happens(nodes: Nodes) -> None:
        mover = nodes.mover()
        with nodes.frozen(mover):
            time.sleep(seconds)
            assert nodes.mover() is not mover
            nodes.until_acknowledged(5)

    return happens


def the_mover_dies_while(phase: str) -> Callable[[Nodes], None]:
    """A node that becomes the mover kills itself in a phase of its work."""

    def happens(nodes: Nodes) -> None:
        dying = nodes.start(through=(sys.executable, str(DYING), phase))
        for other in [node for node in nodes.nodes if node is not dying]:
            nodes.kill(other)
        dying.process.wait(RECOVERS_WITHIN_S)
        nodes.start()
        nodes.start()
        nodes.nodes.remove(dying)
        nodes.server = nodes.nodes[0]

    return happens


def a_clock_is_wrong(nodes: Nodes) -> None:
    """A node joins whose clock is five minutes ahead, and becomes the mover; others join and it is killed."""
    nodes.clock.parent.mkdir(exist_ok=True)
    through = a_clock(nodes.clock)
    nodes.clock.write_text("+300")
    wrong = nodes.start(through=through)
    for other in [node for node in nodes.nodes if node is not wrong]:
        nodes.kill(other)
    assert nodes.mover() is wrong
    nodes.until_acknowledged(20)
    nodes.start()
    nodes.until_acknowledged(20)
    nodes.kill(wrong)


def under_load(nodes: Nodes, happens: Callable[[Nodes], None]) -> StoredHits:
    """Let a fault happen under load on all nodes, and judge what is there afterwards."""
    with nodes.load(within_s=15.0):
        nodes.until_acknowledged(5)
        happens(nodes)
        nodes.until_acknowledged(5)
    nodes.until_ready()
    return nodes.judge()
