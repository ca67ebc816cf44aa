"""A server with a site, a shared counter and a public one, under load; and books of what it acknowledged."""

import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Literal

from support.analytics import HOST, prepare
from support.asking import Answer
from support.postgres import Postgres, free_port
from support.server import RunningServer, running_server
from tallystick.ledger.ledger import milliseconds
from tallystick.model.site import SiteSettings
from torture.endpoints import ENDPOINTS, TOTAL_OF_ALL_TIMES, Endpoint, Names, Request, send

Place = Literal["sqlite", "postgresql"]

Store = Literal["ledger", "journal", "columns"]
FILES: dict[Store, str] = {
    "ledger": "ledger.sqlite3",
    "journal": "warehouse-journal.sqlite3",
    "columns": "warehouse.duckdb",
}
OPTIONS = ("--rate-limit", "off")
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

SUCCESS = range(200, 400)
RECOVERS_WITHIN_S = 60.0
ANSWERED_WITHIN_S = 30.0
BOOKS = ("public", "shared", "hits")
COUNTING = [endpoint for endpoint in ENDPOINTS if endpoint.counts]


class Books:
    """What was sent, and what became of it, by what it counts."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.acknowledged: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.values: list[int] = []
        """Values of the public counter that were acknowledged."""
        self._lock = Lock()

    def note(self, endpoint: Endpoint, answer: Answer | None) -> None:
        """Enter one request that was answered, or whose connection broke."""
        if endpoint.counts is not None:
            self.note_sent(endpoint.counts)
            self.note_answer(endpoint.counts, answer)

    def note_sent(self, book: str) -> None:
        """Enter one request that is being sent."""
        with self._lock:
            self.sent[book] += 1

    def note_answer(self, book: str, answer: Answer | None) -> None:
        """Enter what became of a request; None where its connection broke."""
        with self._lock:
            if answer is None:
                return
            if answer.status not in SUCCESS:
                self.refused[book] += 1
                return
            self.acknowledged[book] += 1
            if book == "public":
                self.values.append(answer.json()["value"])


class Stage:
    """Where a fault happens.

    Attributes:
        server: the one that is asked.
        postgres: its database, or None.
    """

    def __init__(self, folder: Path, server: RunningServer, names: Names, chance: random.Random) -> None:
        self.folder, self.server, self.names, self.chance = folder, server, names, chance
        self.postgres: Postgres | None = None
        self.standby: Postgres | None = None
        self.database = server.database
        self.disk = server.data
        """The folder whose disk may be filled."""
        self.clock = folder / "clock"
        """How far the server's clock is off, in faketime's words, where it has a clock of its own."""
        self._restarted = ExitStack()
        self.books = Books()

    def ask(self, endpoint: Endpoint, within_s: float = ANSWERED_WITHIN_S, url: str = "") -> Answer | None:
        """Send one request, to this stage's server unless another one is named, and enter it in the books."""
        answer = send(url or self.server.url, endpoint.request(self.names), within_s)
        self.books.note(endpoint, answer)
        return answer

    def restart(self) -> None:
        """Start the server again, after it was killed."""
        self.server = self._restarted.enter_context(running_server(self.server.data, *OPTIONS, database=self.database))

    def close(self) -> None:
        """Stop servers that were started again."""
        self._restarted.close()

    @contextmanager
    def load(
        self,
        endpoints: Sequence[Endpoint] = COUNTING,
        url: str = "",
        *,
        clients: int = 4,
        within_s: float = ANSWERED_WITHIN_S,
    ) -> Iterator[None]:
        """Count all the while."""
        ended = Event()

        def client(seed: float) -> None:
            chance = random.Random(seed)  # a test's
            while not ended.is_set():
                self.ask(chance.choice(endpoints), within_s, url)
                time.sleep(0.002)

        threads = [Thread(target=client, args=(self.chance.random(),), daemon=True) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join(ANSWERED_WITHIN_S + 5)
                assert not thread.is_alive(), "a client was never answered"

    def until_acknowledged(self, more: int) -> None:
        """Return when so many more requests were acknowledged, of each kind."""
        wanted = {book: self.books.acknowledged[book] + more for book in BOOKS}
        deadline = time.monotonic() + RECOVERS_WITHIN_S
        while any(self.books.acknowledged[book] < number for book, number in wanted.items()):
            assert time.monotonic() < deadline, f"it did not recover: {self.books.acknowledged}, wanted {wanted}"
            time.sleep(0.05)

    def until_ready(self, url: str = "") -> None:
        """Return when the server says that it can count; this stage's, unless another one is named."""
        ready = Request("GET", "/health/ready")
        deadline = time.monotonic() + RECOVERS_WITHIN_S
        while (
            answer := send(url or self.server.url, ready, ANSWERED_WITHIN_S)
        ) is None or answer.status not in SUCCESS:
            assert time.monotonic() < deadline, f"it never became ready: {answer}"
            time.sleep(0.1)

    def recount(self) -> None:
        """Everything acknowledged is there, each once, and nothing that was not sent."""
        counted = self.counted()
        for book in BOOKS:
            # A request that was refused, or not answered, while a commit was on its way may have been counted.
            sent, acknowledged = self.books.sent[book], self.books.acknowledged[book]
            assert acknowledged <= counted[book] <= sent, f"{book}: {acknowledged} <= {counted[book]} <= {sent}"
        values = self.books.values
        assert len(set(values)) == len(values), "a value was acknowledged twice"
        assert max(values, default=0) <= counted["public"]

    def counted(self) -> dict[str, int]:
        """What the server says."""
        named = {endpoint.name: endpoint for endpoint in (*ENDPOINTS, TOTAL_OF_ALL_TIMES)}
        public, shared, total = (self._read(named[name]) for name in ("get", "counter", "total of all times"))
        return {
            "public": public.json()["value"],
            "shared": int(shared.json()["data"]["value"]),
            "hits": total.json()["total"],
        }

    def _read(self, endpoint: Endpoint) -> Answer:
        return answered(self.server.url, endpoint.request(self.names))


def answered(url: str, request: Request) -> Answer:
    """The answer to a request that is refused for a while, as 503 says."""
    deadline = time.monotonic() + RECOVERS_WITHIN_S
    while (answer := send(url, request, ANSWERED_WITHIN_S)) is None or answer.status == 503:
        assert time.monotonic() < deadline, f"it does not recover: {answer}"
        time.sleep(0.2)
    assert answer.status in SUCCESS, answer
    return answer


@contextmanager
def a_stage(  # noqa: PLR0913  # what a row does not name is ordinary
    place: Place,
    folder: Path,
    seed: int,
    *,
    failing_over: bool = False,
    disk_mb: int = 0,
    disk_of: Store | None = None,
    own_clock: bool = False,
) -> Iterator[Stage]:
    """Start everything, stop it at the end. Each stage has a database server of its own, to be stopped and frozen.

    Args:
        failing_over: whether the database has a synchronous standby.
        disk_mb: how large the disk of the data directory is; 0 for the machine's own.
        disk_of: which store alone lies on that disk; None for all of them.
        own_clock: whether the server has a clock that can be put back and forward.
    """
    with ExitStack() as opened:
        postgres = standby = database = None
        if place == "postgresql":
            postgres = opened.enter_context(Postgres.started(free_port()))
            database = opened.enter_context(postgres.fresh_database(kept=True))
            if failing_over:
                standby = opened.enter_context(postgres.standby(free_port()))
                name = database.partition("?")[0].rpartition("/")[2]
                hosts = f"127.0.0.1:{postgres.port},127.0.0.1:{standby.port}"
                database = f"postgresql://tallystick@{hosts}/{name}?target_session_attrs=read-write"
        data = folder / "data"
        data.mkdir(parents=True)
        disk = _a_disk(opened, folder, data, disk_mb, disk_of) if disk_mb else data
        allowed = SiteSettings(allow_counter=True)
        site = prepare(data, database=database, settings=allowed, now=milliseconds())
        server = opened.enter_context(
            running_server(data, *OPTIONS, database=database, through=a_clock(folder / "clock") if own_clock else ())
        )
        names = Names(site.token, "example.com/visits", a_counter(server.url, site.token))
        stage = Stage(folder, server, names, random.Random(seed))  # a test's
        stage.postgres, stage.standby, stage.database, stage.disk = postgres, standby, database, disk
        opened.callback(stage.close)
        yield stage


def _a_disk(opened: ExitStack, folder: Path, data: Path, size_mb: int, store: Store | None) -> Path:
    """A small disk, on which the whole data directory lies or one store alone."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    # DuckDB's WAL lies beside the link, SQLite's beside the file: so DuckDB stays, and the others go.
    moved: Sequence[Store] = () if store is None else ("ledger", "journal") if store == "columns" else (store,)
    disk = data if store in {None, "columns"} else elsewhere
    opened.enter_context(mounted(disk, size_mb))
    for name in moved:
        (data / FILES[name]).symlink_to(elsewhere / FILES[name])
    return disk


def a_clock(file: Path) -> Sequence[str]:
    """A command that gives a server a clock, off by what stands in a file."""
    file.write_text("+0")
    return (
        "env",
        f"LD_PRELOAD={FAKETIME}",
        f"FAKETIME_TIMESTAMP_FILE={file}",
        "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    )


@contextmanager
def mounted(place: Path, size_mb: int) -> Iterator[None]:
    """A disk of its own, in memory; takes root."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def a_counter(url: str, token: str) -> str:
    """The id of a new shared counter."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json", "host": HOST}
    body = {"displayName": "Visits", "type": "UpDown"}
    answer = send(url, Request("POST", "/v1/counters", body, headers), ANSWERED_WITHIN_S)
    assert answer is not None
    assert answer.status == 201, answer
    return str(answer.json()["id"])
