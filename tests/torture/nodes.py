"""Several servers on one PostgreSQL and one lake, under load on all of them, and the faults that meet them."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from threading import Event
from typing import NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from support.analytics import prepare
from support.asking import Answer
from support.lakes import MEMORY_MB, QuickLakeStore
from support.postgres import Postgres, free_port
from support.server import FREE_PORT, RunningServer, running_server
from tallystick.ledger.ledger import milliseconds
from tallystick.model.site import SiteSettings
from tallystick.warehouse.duckdb import visits
from torture.endpoints import ENDPOINTS, Endpoint, Names
from torture.faults import DONE, REFUSED, seen
from torture.network import Network, Way
from torture.stage import ANSWERED_WITHIN_S, OPTIONS, RECOVERS_WITHIN_S, SUCCESS, Stage, a_clock, a_counter

DYING = Path(__file__).with_name("dying_node.py")
TAKEN_OVER_WITHIN_S = 16.0
"""Ten seconds, and five until PostgreSQL ends a commit of the mover that it was cut off from."""
CUT_ANSWERED_WITHIN_S = 45.0
"""Fifteen seconds until a lost connection is noticed, ten for the attempt to open another that is being made, ten for
the next one; and ten more on a busy machine."""
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
        nodes: the servers that were not killed.
        networks: of those that have one of their own, by the URL of the server.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # created by some_nodes
        self,
        folder: Path,
        url: str,
        names: Names,
        postgres: Postgres,
        chance: random.Random,
        network: Network | None = None,
    ) -> None:
        self.lake, self.url = folder / "lake", url
        self.nodes: list[RunningServer] = []
        self.networks: dict[str, Network] = {}
        self._opened = ExitStack()
        self._frozen: set[int] = set()
        self._numbers = iter(range(1_000))
        self.folder, self.postgres = folder, postgres
        first = self.start(network=network)
        super().__init__(folder, first, names, chance)
        self.postgres = postgres

    def start(self, through: Sequence[str] = (), network: Network | None = None) -> RunningServer:
        """Start another node, with an empty data directory.

        Args:
            through: a command that runs it, where it has no network of its own.
            network: where it runs; PostgreSQL is on our side.
        """
        data = self.folder / f"node-{next(self._numbers)}"
        data.mkdir(parents=True)
        database = self.url
        if network is not None:
            assert self.postgres is not None
            self.postgres.allow(network.theirs)
            name = str(conninfo_to_dict(self.url)["dbname"])
            database, through = self.postgres.tcp_url(name, network.ours), network.through
        node = self._opened.enter_context(
            running_server(
                data,
                *OPTIONS,
                *("--lake", str(self.lake)),
                database=database,
                listen=f"{network.door}:0" if network else FREE_PORT,
                through=through,
                TALLYSTICK_SECRET_KEY="c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=",
            )
        )
        self.nodes.append(node)
        if network is not None:
            self.networks[node.url] = network
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

    def retire(self, node: RunningServer) -> None:
        """Stop a node as a balancer's operator does: no new request goes to it, then SIGTERM."""
        self.nodes.remove(node)
        self.server = self.nodes[0]
        time.sleep(0.3)
        assert node.stop() == 0, node.output

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

    @contextmanager
    def cut_off(self, node: RunningServer, way: Way) -> Iterator[None]:
        """Let a node not reach PostgreSQL until the end; the load goes to the others."""
        self._frozen.add(node.process.pid)
        try:
            with self.networks[node.url].loses(way):
                yield
        finally:
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

        Every page of the load is another one, and all of its visitors that arrive by one network are the same.
        """
        stored = self.stored()
        assert stored.hits == stored.ids == stored.paths, stored
        assert (stored.first, stored.last) == (1, stored.hits), stored
        assert (stored.sessions, stored.differing) == (len(self.networks) or 1, 0), stored
        return stored

    def close(self) -> None:
        """Stop all nodes."""
        super().close()
        self._opened.close()


@contextmanager
def some_nodes(folder: Path, seed: int, number: int, *, apart: bool = False) -> Iterator[Nodes]:
    """Start a database and so many nodes.

    Args:
        apart: whether each has a network of its own; takes root.
    """
    with ExitStack() as opened:
        networks = [opened.enter_context(Network.made(place)) if apart else None for place in range(number)]
        postgres = opened.enter_context(Postgres.started(free_port() if apart else 0))
        url = opened.enter_context(postgres.fresh_database(kept=True))
        site = prepare(folder, database=url, settings=SiteSettings(allow_counter=True), now=milliseconds())
        nodes = Nodes(
            folder, url, Names(site.token, "example.com/visits", ""), postgres, random.Random(seed), networks[0]
        )
        try:
            nodes.names = nodes.names._replace(counter=a_counter(nodes.server.url, site.token))
            for network in networks[1:]:
                nodes.start(network=network)
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


def cut_off(way: Way, seconds: float = 20.0, *, the_mover: bool = True) -> Callable[[Nodes], None]:
    """The mover, or another node, does not reach PostgreSQL for a while; clients reach it."""

    def happens(nodes: Nodes) -> None:
        mover = nodes.mover()
        node = mover if the_mover else next(node for node in nodes.nodes if node is not mover)
        other = next(each for each in nodes.nodes if each is not node)
        began = time.monotonic()
        with ThreadPoolExecutor(len(ENDPOINTS)) as clients:
            with nodes.cut_off(node, way):
                answers = [clients.submit(_seen, nodes, endpoint, node) for endpoint in ENDPOINTS]
                while nodes.mover() is node:
                    assert time.monotonic() < began + TAKEN_OVER_WITHIN_S, "no other node became the mover"
                    time.sleep(0.1)
                nodes.until_acknowledged(5)
                total(nodes, other)
                time.sleep(max(0.0, began + seconds - time.monotonic()))
            nodes.until_ready(node.url)
            wrong = [said for answer in answers if (said := answer.result())]
        assert not wrong, "\n".join(["", *wrong])

    return happens


def _seen(nodes: Nodes, endpoint: Endpoint, node: RunningServer) -> str:
    """What was wrong with the answer of a node that is cut off; empty if nothing."""
    answered = seen(endpoint, Stage.ask(nodes, endpoint, CUT_ANSWERED_WITHIN_S, node.url))
    return "" if answered in {DONE, REFUSED} else f"  {endpoint.name}: {answered}"


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


def replaced_by(through: Sequence[str]) -> Callable[[Nodes], None]:
    """Other nodes take the place of all one by one; each is ready before another stops.

    Nothing is refused meanwhile, and every node reports what was acknowledged before.

    Args:
        through: a command that runs them, for example as another version; see ``newer``.
    """

    def happens(nodes: Nodes) -> None:
        # The first ones may meet a counter that does not exist yet.
        refused = nodes.books.refused.copy()
        with reporting(nodes):
            for former in list(nodes.nodes):
                node = nodes.start(through)
                nodes.until_ready(node.url)
                nodes.until_acknowledged(3)
                for each in nodes.nodes:
                    total(nodes, each)
                nodes.retire(former)
        assert nodes.books.refused == refused

    return happens


@contextmanager
def reporting(nodes: Nodes) -> Iterator[None]:
    """Ask all nodes in turn what they report, until the end: totals never go back."""
    ended = Event()

    def ask() -> None:
        reported = 0
        for number in count():
            if ended.is_set():
                return
            node = nodes.nodes[number % len(nodes.nodes)]
            said = total(nodes, node)
            assert said >= reported, (said, reported, node.url)
            reported = said
            ended.wait(0.3)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield
        finally:
            ended.set()
        asking.result()


def under_load(nodes: Nodes, happens: Callable[[Nodes], None], *, clients: int = 4) -> StoredHits:
    """Let a fault happen under load on all nodes, and judge what is there afterwards."""
    with nodes.load(clients=clients, within_s=15.0):
        nodes.until_acknowledged(5)
        happens(nodes)
        nodes.until_acknowledged(5)
    for node in nodes.nodes:
        nodes.until_ready(node.url)
    return nodes.judge()


def reports_agree(nodes: Nodes) -> None:
    """Every node reports the same, without load."""
    totals = [total(nodes, node) for node in nodes.nodes]
    assert len(set(totals)) == 1, totals
