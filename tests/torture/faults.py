"""The table: what goes wrong, and what each kind of endpoint answers meanwhile."""

import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from enum import Enum
from typing import NamedTuple
from urllib.parse import urlsplit

import apsw
import psycopg

from support.analytics import HOST
from support.asking import Answer
from support.server import running_server, tallystick
from torture.endpoints import ENDPOINTS, Endpoint
from torture.network import Network
from torture.stage import FILES, SUCCESS, Place, Stage, Store

STALLED = 20
REMEMBERED_S = 0.3
"""Longer than a server remembers sites and tokens."""
LOOKS_OLD_AFTER_S = 1.2
"""What ``/health/ready`` has seen of locks, it believes for a second."""


class Expected(Enum):
    """An answer."""

    DONE = "a success"
    REFUSED = "503 with Retry-After, in the endpoint's dialect"
    FAILED = "500, in the endpoint's dialect"
    NOTHING = "no answer while the fault lasts"


DONE, REFUSED, FAILED, NOTHING = Expected


class Fault(NamedTuple):
    """One row.

    Attributes:
        happens: the fault lasts as long as the block.
        answers: by the kind of endpoint, or the name of one; each of them is right. DONE where nothing is said.
        patience_s: how long a request waits for its answer meanwhile.
        goes_on: whether everything is counted again while the fault lasts.
        quick: whether it is a part of ``make test``.
        failing_over, disk_mb, disk_of, own_clock: see ``a_stage``.
    """

    name: str
    place: Place
    happens: Callable[[Stage], AbstractContextManager[None]]
    answers: Mapping[str, frozenset[Expected]]
    patience_s: float = 10.0
    goes_on: bool = False
    quick: bool = True
    failing_over: bool = False
    disk_mb: int = 0
    disk_of: Store | None = None
    own_clock: bool = False

    def right(self, endpoint: Endpoint) -> frozenset[Expected]:
        """The right answers of an endpoint."""
        return self.answers.get(endpoint.name) or self.answers.get(endpoint.kind) or frozenset({DONE})


def seen(endpoint: Endpoint, answer: Answer | None) -> Expected | str:
    """What an answer is; a text where it is none that an endpoint may ever give."""
    if answer is None:
        return NOTHING
    if answer.status in SUCCESS:
        return DONE
    if not endpoint.says_so(answer):
        return f"{answer.status} in another dialect: {answer.body[:200]!r}"
    match answer.status:
        case 503:
            wait = answer.headers.get("retry-after", "")
            return REFUSED if wait.isdecimal() and int(wait) > 0 else "503 without Retry-After"
        case 500:
            return "500 with Retry-After" if "retry-after" in answer.headers else FAILED
        case _:
            return f"{answer.status}: {answer.body[:200]!r}"


@contextmanager
def database_away(stage: Stage) -> Iterator[None]:
    """PostgreSQL stops as in a crash, and comes back."""
    assert stage.postgres is not None
    stage.postgres.stop()
    time.sleep(REMEMBERED_S)
    try:
        yield
    finally:
        stage.postgres.start()


@contextmanager
def database_frozen(stage: Stage) -> Iterator[None]:
    """PostgreSQL keeps its connections and answers nothing."""
    assert stage.postgres is not None
    with stage.postgres.frozen():
        time.sleep(REMEMBERED_S)
        yield


@contextmanager
def lane_locked(stage: Stage) -> Iterator[None]:
    """Another program holds the public counter and the sequence of shared ones."""
    assert stage.database is not None
    with psycopg.connect(stage.database) as connection:
        connection.execute("SELECT 1 FROM counter FOR UPDATE")
        connection.execute("SELECT 1 FROM sequence FOR UPDATE")
        time.sleep(LOOKS_OLD_AFTER_S)
        yield


@contextmanager
def failed_over(stage: Stage) -> Iterator[None]:
    """The primary is gone for good, and its synchronous standby is promoted."""
    assert stage.postgres is not None
    assert stage.standby is not None
    stage.postgres.stop()
    stage.standby.promote()
    stage.until_ready()
    yield


@contextmanager
def disk_refuses(stage: Stage) -> Iterator[None]:
    """No file of the server may grow any more."""
    process = stage.server.process.pid
    before = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (1, before[1]))
    stage.ask(_named("hit"))  # so that the server has noticed
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, before)


@contextmanager
def disk_full(stage: Stage) -> Iterator[None]:
    """Something else has filled the disk of the data directory."""
    filling = stage.disk / "something else"
    with filling.open("wb", buffering=0) as file:
        part = bytes(1 << 16)
        while part:
            try:
                file.write(part)
            except OSError:
                part = part[: len(part) // 2]
    stage.ask(_named("hit"))  # so that the server has noticed
    try:
        yield
    finally:
        filling.unlink()


@contextmanager
def journal_locked(stage: Stage) -> Iterator[None]:
    """Another program holds the warehouse's journal."""
    with closing(apsw.Connection(str(stage.server.data / FILES["journal"]))) as other:
        other.set_busy_timeout(5_000)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def clock_off(*offsets: str) -> Callable[[Stage], AbstractContextManager[None]]:
    """The wall clock jumps by each of these in turn, and is right again in the end."""

    @contextmanager
    def off(stage: Stage) -> Iterator[None]:
        try:
            for offset in offsets:
                stage.clock.write_text(offset)
                stage.until_acknowledged(2)
                ready = stage.ask(_named("ready"))
                assert ready is not None
                assert "clock" in ready.json(), "the server's clock is not off: is libfaketime installed?"
            yield
        finally:
            stage.clock.write_text("+0")

    return off


def damaged(store: Store) -> Callable[[Stage], AbstractContextManager[None]]:
    """The server is killed, and a file of it is damaged; it refuses to start until the file is put back."""

    @contextmanager
    def killed_and_damaged(stage: Stage) -> Iterator[None]:
        stage.server.kill()
        data = stage.server.data
        saved = {path: path.read_bytes() for path in data.glob(f"{FILES[store]}*")}
        for path, content in saved.items():
            garbage = stage.chance.randbytes(min(len(content), 1 << 14))
            path.write_bytes(garbage + content[len(garbage) :])
        refused = tallystick("serve", "--listen", "127.0.0.1:0", "--data", data)
        for path in data.glob(f"{FILES[store]}*"):
            path.unlink()
        for path, content in saved.items():
            path.write_bytes(content)
        assert refused.returncode == 1, refused
        assert [line for line in refused.stderr.splitlines() if line.startswith("tallystick: ")], refused
        assert "Traceback" not in refused.stderr, refused
        stage.restart()
        yield

    return killed_and_damaged


@contextmanager
def other_server_frozen(stage: Stage) -> Iterator[None]:
    """A second server on the same PostgreSQL stands still in the middle of its transactions, and goes on later."""
    with (
        running_server(stage.folder / "other", "--rate-limit", "off", database=stage.database) as other,
        stage.load([_named(name) for name in ("hit", "update", "increment")], other.url),
    ):
        time.sleep(stage.chance.uniform(0.5, 1.0))
        os.kill(other.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(other.process.pid, signal.SIGCONT)


@contextmanager
def other_server_cut_off(stage: Stage) -> Iterator[None]:
    """A second server's network is gone in the middle of its transactions: no connection of it is closed."""
    assert stage.postgres is not None
    assert stage.database is not None
    name = stage.database.partition("?")[0].rpartition("/")[2]
    with Network.made() as network:
        stage.postgres.allow(network.theirs)
        with (
            running_server(
                stage.folder / "other",
                *("--rate-limit", "off"),
                database=stage.postgres.tcp_url(name, network.ours),
                listen=f"{network.theirs}:0",
                through=network.through,
            ) as other,
            stage.load([_named(name) for name in ("hit", "update", "increment")], other.url, within_s=3.0),
        ):
            time.sleep(stage.chance.uniform(0.5, 1.0))
            with network.cut():
                yield


@contextmanager
def bodies_stall(stage: Stage) -> Iterator[None]:
    """Many clients announce a large body and send its beginning only."""
    parts = urlsplit(stage.server.url)
    head = f"POST /api/v0/count HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {stage.names.token}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 8000000\r\n\r\n"
    with ExitStack() as opened:
        for _ in range(STALLED):
            connection = socket.create_connection((str(parts.hostname), parts.port or 80))
            opened.enter_context(closing(connection))
            connection.sendall(head.encode() + b'{"hits": [')
        yield


def _named(name: str) -> Endpoint:
    return next(endpoint for endpoint in ENDPOINTS if endpoint.name == name)


def _while(
    writes: Collection[Expected],
    reads: Collection[Expected],
    ready: Collection[Expected] = (REFUSED,),
    **others: Collection[Expected],
) -> Mapping[str, frozenset[Expected]]:
    """What every endpoint answers: the ones that need the ledger for changes, for reading, and others by name."""
    table: dict[str, Collection[Expected]] = {"write": writes, "hit": writes, "read": reads, "statistic": reads}
    return {name: frozenset(right) for name, right in (table | {"ready": ready} | others).items()}


def _shown_again(expected: Expected) -> dict[str, Collection[Expected]]:
    """A visitor counter is shown for two seconds before it is looked up again."""
    return {"visitor counter": [expected, DONE]}


def _hits(*expected: Expected) -> dict[str, Collection[Expected]]:
    """What the endpoints answer that need the warehouse; CountAPI's ``hit`` is none of them."""
    return dict.fromkeys(("pixel", "api count"), expected)


ALL_WELL = _while([DONE], [DONE], [DONE])
SOON_WELL = _while([DONE, REFUSED], [DONE], [DONE, REFUSED], stats=[DONE, REFUSED])
"""What waited for a lock for as long as the other server's transaction was left alone may be refused, once."""

FAULTS = (
    Fault("the database is away", "postgresql", database_away, _while([REFUSED], [REFUSED], **_shown_again(REFUSED))),
    Fault(
        "the database is frozen",
        "postgresql",
        database_frozen,
        _while([NOTHING], [NOTHING], **_shown_again(NOTHING)),
        patience_s=5,
    ),
    Fault(
        "a lane is locked",
        "postgresql",
        lane_locked,
        # What is asked for behind locked rows is answered when their turn is over.
        _while([REFUSED], [DONE], stats=[DONE, REFUSED]),
        patience_s=40,
        quick=False,
    ),
    Fault("the standby is promoted", "postgresql", failed_over, ALL_WELL, quick=False, failing_over=True),
    Fault("the other server is frozen", "postgresql", other_server_frozen, SOON_WELL, patience_s=20, goes_on=True),
    Fault(
        "the other server is cut off",
        "postgresql",
        other_server_cut_off,
        SOON_WELL,
        patience_s=20,
        goes_on=True,
        quick=False,
    ),
    Fault(
        "the disk takes nothing",
        "sqlite",
        disk_refuses,
        _while([FAILED], [DONE], stats=[DONE, FAILED], statistic=[DONE, FAILED, REFUSED]),
    ),
    Fault("bodies stall", "sqlite", bodies_stall, ALL_WELL),
    Fault(
        "the disk is full",
        "sqlite",
        disk_full,
        # What fits into space that the files have already is still stored.
        _while([DONE, REFUSED], [DONE], [DONE, REFUSED], statistic=[DONE, REFUSED], stats=[DONE, REFUSED]),
        quick=False,
        disk_mb=96,
    ),
    Fault(
        "the ledger's disk is full",
        "sqlite",
        disk_full,
        _while([DONE, REFUSED], [DONE], [DONE, REFUSED], stats=[DONE, REFUSED]),
        quick=False,
        disk_mb=48,
        disk_of="ledger",
    ),
    Fault(
        "the journal's disk is full",
        "sqlite",
        disk_full,
        _while([DONE], [DONE], [DONE, REFUSED], statistic=[DONE, REFUSED], **_hits(DONE, REFUSED)),
        quick=False,
        disk_mb=48,
        disk_of="journal",
    ),
    Fault(
        "the columns' disk is full",
        "sqlite",
        disk_full,
        _while([DONE], [DONE], [DONE, REFUSED], statistic=[DONE, REFUSED], **_hits(DONE, REFUSED)),
        quick=False,
        disk_mb=48,
        disk_of="columns",
    ),
    Fault(
        "the journal is locked",
        "sqlite",
        journal_locked,
        # Hits wait for the lock; statistics wait for nothing but what was acknowledged.
        _while([DONE], [DONE], [DONE], **_hits(NOTHING, REFUSED)),
        patience_s=5,
        quick=False,
    ),
    Fault("the clock goes back", "sqlite", clock_off("-2d"), ALL_WELL, goes_on=True, own_clock=True, quick=False),
    Fault(
        "the clock goes forward and back", "sqlite", clock_off("+60d", "-2d"), ALL_WELL, goes_on=True, own_clock=True
    ),
    Fault("the ledger is damaged", "sqlite", damaged("ledger"), ALL_WELL, quick=False),
    Fault("the journal is damaged", "sqlite", damaged("journal"), ALL_WELL, quick=False),
    Fault("the columns are damaged", "sqlite", damaged("columns"), ALL_WELL, quick=False),
)
