"""Several servers on one PostgreSQL and one lake, under load on all of them, and the faults that meet them."""

import os
import random
import re
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from http import HTTPStatus
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from support.analytics import prepare
from support.asking import Answer
from support.lakes import MEMORY_MB, QuickLakeStore
from support.postgres import Postgres, free_port
from support.server import FREE_PORT, RunningServer, running_server
from support.storages import BUCKET, Door, ObjectStorage
from tallystick.ledger.ledger import milliseconds
from tallystick.model.site import SiteSettings
from tallystick.warehouse.duckdb import visits
from torture.background import Background
from torture.endpoints import ENDPOINTS, Endpoint, Names, Request, send
from torture.faults import DONE, REFUSED, seen
from torture.figures import differences, rows_of
from torture.following import Follower
from torture.mixed import NAMESPACE, Client, MixedBooks, SentHit, all_events
from torture.network import Network, Way
from torture.stage import ANSWERED_WITHIN_S, OPTIONS, RECOVERS_WITHIN_S, SUCCESS, Stage, a_clock, a_counter, answered

DYING = Path(__file__).with_name("dying_node.py")
TAKEN_OVER_WITHIN_S = 16.0
"""Ten seconds, and five until PostgreSQL ends a commit of the mover that it was cut off from."""
CUT_ANSWERED_WITHIN_S = 45.0
"""Fifteen seconds until a lost connection is noticed, ten for the attempt to open another that is being made, ten for
the next one; and ten more on a busy machine."""
READS_WITHIN_S = 30.0
"""Of a server that does not reach the storage of hits."""
LOAD_ANSWERED_WITHIN_S = 15.0
FOLLOWED_WITHIN_S = 40.0
"""Until a client that follows a server which is frozen or cut off has noticed, and caught up at another one."""
BALANCER = ("--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "10.192.0.0/10")
"""Whom servers believe the addresses of clients: this process is the balancer, also of those in other networks."""
PHASES = ("numbered", "inserted", "committed", "removed", "taking over")
"""Where a node kills itself while it moves hits; see ``dying_node``."""
SITE = 1
"""The site of the load."""


class Nodes(Stage):
    """A stage with several servers; each request goes to any of those that answer.

    Attributes:
        nodes: the servers that were not killed.
        networks: of those that have one of their own, by the URL of the server.
        doors: by which each reaches the storage of hits, by its URL, where that is no directory.
    """

    books: MixedBooks

    def __init__(  # noqa: PLR0913, PLR0917  # created by some_nodes
        self,
        folder: Path,
        url: str,
        names: Names,
        postgres: Postgres,
        chance: random.Random,
        network: Network | None = None,
        storage: ObjectStorage | None = None,
    ) -> None:
        self.lake, self.url, self.storage = str(folder / "lake"), url, storage
        self.files = f"{self.lake}/hits"
        if storage is not None:
            self.lake = self.files = f"s3://{BUCKET}/lake"
        self.doors: dict[str, Door] = {}
        self.nodes: list[RunningServer] = []
        self.networks: dict[str, Network] = {}
        self._opened = ExitStack()
        self._frozen: set[int] = set()
        self._numbers = iter(range(1_000))
        self.folder, self.postgres = folder, postgres
        first = self.start(network=network)
        super().__init__(folder, first, names, chance)
        self.postgres, self.books = postgres, MixedBooks()
        self._rows: list[dict[str, Any]] = []
        """What ``judge`` has found."""

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
        door = None if self.storage is None else Door(self.storage.port)
        variables: dict[str, Any] = {} if self.storage is None or door is None else self.storage.environment(door.url)
        node = self._opened.enter_context(
            running_server(
                data,
                *OPTIONS,
                *BALANCER,
                *("--lake", self.lake),
                database=database,
                listen=f"{network.door}:0" if network else FREE_PORT,
                through=through,
                TALLYSTICK_SECRET_KEY="c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=",
                **variables,
            )
        )
        if door is not None:
            self.doors[node.url] = door
            self._opened.callback(door.close)
        self.nodes.append(node)
        if network is not None:
            self.networks[node.url] = network
        return node

    def prepare(self) -> None:
        """Make what the load needs, and clients that follow."""
        self.names = self.names._replace(counter=a_counter(self.server.url, self.names.token))
        self.ask(BY_NAME["hit"])  # until then, updates are 404
        self.background = Background(self.send, self.names, self.books, self.url, self.folder)
        self.followers = [Follower(self._any, self.names, by_socket=by_socket) for by_socket in (False, True)]
        for follower in self.followers:
            follower.start(RECOVERS_WITHIN_S)
            self._opened.callback(follower.stop)

    def write_files(self) -> None:
        """Let few hits be a file, which are otherwise kept in PostgreSQL until there are more; before the load."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            name = "data_inlining_row_limit"
            connection.execute("UPDATE tallystick_lake.ducklake_metadata SET value = '5' WHERE key = %s", [name])
        first = self.nodes[0]
        self.start()
        self.kill(first)

    def _any(self) -> str:
        """The URL of any server that is neither frozen nor cut off: a balancer sends no requests to those."""
        return random.choice([node.url for node in self.nodes if node.process.pid not in self._frozen])

    def send(self, request: Request) -> Answer | None:
        """Send one request to any server; the next one of the same visitor goes to another one, as a rule."""
        return send(self._any(), request, LOAD_ANSWERED_WITHIN_S)

    def ask(self, endpoint: Endpoint, within_s: float = ANSWERED_WITHIN_S, url: str = "") -> Answer | None:
        """Send one request of an endpoint, and enter it in the books; by default to any server."""
        url, request = url or self._any(), endpoint.request(self.names)
        page = None
        if endpoint.counts == "hits" and (named := re.search(r"/page-\d+", f"{request.target} {request.body}")):
            page = named[0]
            peer = self.networks[url].name if url in self.networks else "here"
            self.books.hits[page] = SentHit("" if "no_sessions" in str(request.body) else peer)
        answer = send(url, request, within_s)
        self.books.note(endpoint, answer)
        if page is not None and answer is not None and answer.status in SUCCESS:
            self.books.stored.add(page)
        return answer

    @contextmanager
    def mixed_load(self, clients: int) -> Iterator[None]:
        """Load on all surfaces and all servers."""
        ended = Event()
        senders = [
            Client(self.send, self.names, self.books, random.Random(self.chance.random()), ended)
            for _ in range(clients)
        ]
        runs: list[Callable[[], None]] = [sender.run for sender in senders]
        runs.append(partial(self.background.run, ended))
        threads = [Thread(target=run, daemon=True) for run in runs]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join(4 * LOAD_ANSWERED_WITHIN_S)
                assert not thread.is_alive(), "a client was never answered"

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

    def judge(self, *, all_of_it: bool = False) -> None:
        """Everything acknowledged is there, each once and as it was sent, and the statistics say the same.

        Args:
            all_of_it: also what servers carry out later.
        """
        self.recount()
        store = QuickLakeStore(self.url, self.files, MEMORY_MB, work=self.folder / "reader")
        store.open()
        try:
            with store.session() as session:
                connection = session.connection
                rows = rows_of(session, self.url, SITE)
                [(ids, different, newest)] = connection.execute(
                    "SELECT count(*), count(DISTINCT id), max(id) FROM hit"
                ).fetchall()
                assert ids == different, "an id was given twice"
                assert newest - ids <= self.background.deleted_at_most, f"{newest - ids} ids are missing"
                assert visits.compare(connection).differing == 0, "visits differ from their hits"
                self._judge_rows(rows)
                self._judge_created()
                self.background.judge(partial(_pages_of, connection), all_of_it=all_of_it)
        finally:
            store.close()
        bearer = {"authorization": f"Bearer {self.names.token}", "content-type": "application/json"}
        asked = {node.url: partial(answered, node.url) for node in self.nodes}
        wrong = differences(asked, bearer, SITE, rows, self.chance)
        assert not wrong, "\n".join(["", *wrong])
        assert not self.books.wrong, "\n".join(["", *self.books.wrong[:5]])
        changes = self.counted()["shared"]
        for follower in self.followers:
            follower.until(changes, FOLLOWED_WITHIN_S)

    def _judge_rows(self, rows: list[dict[str, Any]]) -> None:
        """Rows are what was sent; those from before are as they were, and new ones have greater ids."""
        before = len(self._rows)
        assert rows[:before] == self._rows, "stored rows have changed"
        self._rows = rows
        names = Counter(row["path"] for row in rows)
        lost, made_up = self.books.stored - set(names), set(names) - set(self.books.hits)
        assert not lost, f"acknowledged, and not there: {sorted(lost)[:5]}"
        assert not made_up, f"there, and never sent: {sorted(made_up)[:5]}"
        assert len(names) == len(rows), f"stored twice: {names.most_common(5)}"
        sessions: dict[str, set[int]] = defaultdict(set)
        for row in rows:
            sent = self.books.hits[row["path"]]
            sessions[sent.visitor].add(row["session"])
            stored = (row["event"], bool(row["session"]), row["bot"], row["ref"].partition("/")[0], row["first"])
            assert stored == (sent.event, bool(sent.visitor), 0, sent.source, True), (row, sent)
        torn = {visitor: found for visitor, found in sessions.items() if len(found) > 1}
        assert not torn, f"visitors have several visits: {torn}"
        assert len(set().union(*sessions.values())) == len(sessions), "visitors share a visit"

    def _judge_created(self) -> None:
        with closing(psycopg.connect(self.url)) as connection:
            query = "SELECT key, value FROM counter WHERE namespace = %s"
            values: dict[str, int] = dict(connection.execute(query, [NAMESPACE]).fetchall())
        wrong = {key: values.get(key) for key, right in self.books.created.items() if values.get(key) not in right}
        assert not wrong, wrong
        assert values.keys() <= self.books.created.keys()

    def said(self, lines: int = 40) -> str:
        """The last lines of each server, and whether it still runs."""
        return "\n".join(
            "\n".join([f"{node.url} exit status: {node.process.poll()}", *node.output.splitlines()[-lines:]])
            for node in self.nodes
        )

    def write_logs(self) -> None:
        """Keep what servers have said, beside their data, and whether they still run."""
        for node in self.nodes:
            (node.data / "log").write_text(f"{node.output}\n{node.url} exit status: {node.process.poll()}\n")

    def close(self) -> None:
        """Stop all nodes."""
        super().close()
        self._opened.close()


@contextmanager
def some_nodes(
    folder: Path, seed: int, number: int, *, apart: bool = False, storage: ObjectStorage | None = None
) -> Iterator[Nodes]:
    """Start a database and so many nodes.

    Args:
        apart: whether each has a network of its own; takes root.
        storage: where hits are; by default in a directory. This process must have its environment.
    """
    with ExitStack() as opened:
        networks = [opened.enter_context(Network.made(place)) if apart else None for place in range(number)]
        postgres = opened.enter_context(Postgres.started(free_port() if apart else 0))
        url = opened.enter_context(postgres.fresh_database(kept=True))
        site = prepare(folder, database=url, settings=SiteSettings(allow_counter=True), now=milliseconds())
        names = Names(site.token, "example.com/visits", "")
        nodes = Nodes(folder, url, names, postgres, random.Random(seed), networks[0], storage)
        try:
            assert site.site.id == SITE
            if storage is not None:
                nodes.write_files()
            for network in networks[1:]:
                nodes.start(network=network)
            nodes.prepare()
            yield nodes
        except BaseException as error:
            error.add_note(nodes.said())
            raise
        finally:
            nodes.close()


def _pages_of(connection: Any, site: int) -> dict[str, int]:  # DuckDB's
    return dict(connection.execute(f"SELECT path, count(*) FROM hit WHERE site = {site} GROUP BY path").fetchall())


BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def total(nodes: Nodes, node: RunningServer) -> int:
    """What the report of one node says now."""
    answer = nodes.ask(BY_NAME["total"], url=node.url)
    assert answer is not None
    assert answer.status in SUCCESS, answer
    return int(answer.json()["total"])


def total_at_last(nodes: Nodes, node: RunningServer) -> int:
    """The same; after a fault a report may be refused for a while."""
    return int(answered(node.url, BY_NAME["total"].request(nodes.names)).json()["total"])


def reports_see_hits_of_others(nodes: Nodes, hits: int = 5) -> None:
    """A hit on one node is in the next report of another, and in its answer to a question, without load."""
    seen = total_at_last(nodes, nodes.nodes[0])
    bearer = {"authorization": f"Bearer {nodes.names.token}", "content-type": "application/json"}
    for number in range(hits):
        one, other = nodes.nodes[number % len(nodes.nodes)], nodes.nodes[(number + 1) % len(nodes.nodes)]
        answer = nodes.ask(BY_NAME["pixel"], url=one.url)
        assert answer is not None
        assert answer.status in SUCCESS
        assert total(nodes, other) == seen + number + 1
        answer = answered(other.url, all_events(bearer))
        assert answer.json()["results"] == [{"dimensions": [], "metrics": [seen + number + 1]}], answer


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


def frozen_for(*seconds: float) -> Callable[[Nodes], None]:
    """The mover is frozen for one of these times, and goes on after another one has taken over."""

    def happens(nodes: Nodes) -> None:
        mover = nodes.mover()
        with nodes.frozen(mover):
            time.sleep(nodes.chance.choice(seconds))
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


def _seen(nodes: Nodes, endpoint: Endpoint, node: RunningServer, within_s: float = CUT_ANSWERED_WITHIN_S) -> str:
    """What was wrong with the answer of a node that lacks something; empty if nothing."""
    answer = nodes.ask(endpoint, within_s, node.url)
    timed_out = answer is not None and answer.status == HTTPStatus.GATEWAY_TIMEOUT and endpoint.says_so(answer)
    if timed_out and endpoint.kind == "statistic":
        return ""  # a question ends at its deadline, also one that waits for PostgreSQL
    answered = seen(endpoint, answer)
    return "" if answered in {DONE, REFUSED} else f"  {endpoint.name}: {answered}"


def storage_is_away(how: str) -> Callable[[Nodes], None]:
    """The storage of hits refuses connections, or answers nothing; PostgreSQL is there.

    Args:
        how: ``refuses`` or ``silent`` for all servers, ``refuses the mover`` for one.
    """

    def happens(nodes: Nodes) -> None:
        assert nodes.storage is not None
        mover = nodes.mover()
        with ExitStack() as away:
            if how == "silent":
                away.enter_context(nodes.storage.frozen())
            else:
                for node in nodes.nodes:
                    if node is mover or how == "refuses":
                        away.enter_context(nodes.doors[node.url].shut())
            began = time.monotonic()
            nodes.until_acknowledged(10)
            with ThreadPoolExecutor(len(nodes.nodes)) as clients:
                ask = partial(_seen, nodes, BY_NAME["total"], within_s=READS_WITHIN_S)
                wrong = [said for said in clients.map(ask, nodes.nodes) if said]
            assert not wrong, "\n".join(["", *wrong])
            while how == "refuses the mover" and nodes.mover() is mover:
                assert time.monotonic() < began + TAKEN_OVER_WITHIN_S, "it stays the mover"
                time.sleep(0.1)
            nodes.until_acknowledged(10)
        for node in nodes.nodes:
            total_at_last(nodes, node)

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


def under_load(nodes: Nodes, happens: Callable[[Nodes], None], *, clients: int = 4) -> None:
    """Let a fault happen under load on all nodes, and judge what is there afterwards."""
    with nodes.mixed_load(clients):
        nodes.until_acknowledged(5)
        happens(nodes)
        nodes.until_acknowledged(5)
    for node in nodes.nodes:
        nodes.until_ready(node.url)
    nodes.judge()


def reports_agree(nodes: Nodes) -> None:
    """Every node reports the same, without load."""
    totals = [total_at_last(nodes, node) for node in nodes.nodes]
    assert len(set(totals)) == 1, totals
