"""An hour of mixed load at half of what the server can take: do memory, handles and files grow? See README.md."""

import asyncio
import itertools
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import servers
import shared
import uvloop
from cyclopts import App, Parameter
from cyclopts.validators import Number
from hits import HOST
from listeners import STREAM, UPGRADE, Crowd, percentile
from msgspec import Struct
from pageviews import AGENTS, stored
from report import machine
from rich.console import Console
from rich.table import Table

from tallystick.ledger import open_database
from tallystick.model.account import EVERY_SITE, Permission
from tallystick.services.accounts.accounts import NewAccount, account, create_account
from tallystick.services.accounts.sites import NewSite, create_site
from tallystick.services.accounts.tokens import NewToken, create_token

CONNECTIONS, LISTENERS = 64, 200
KEYS, KEYS_READ, PATHS, VISITORS = 1_000, 100, 200, 20_000
HITS_IN_BATCH = 20
CALIBRATION_S = 20.0
PAUSE_S = 0.5
"""Statistics are asked for with a pause, as people would."""

FILES = (
    "ledger.sqlite3",
    "ledger.sqlite3-wal",
    "warehouse-journal.sqlite3",
    "warehouse-journal.sqlite3-wal",
    "warehouse.duckdb",
    "warehouse.duckdb.wal",
)
AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="soak.py", help=__doc__)
console = Console(width=200)


class Made(Struct, frozen=True):
    """Targets of the load: a token for statistics, and counters with tokens of their members."""

    token: str
    counters: list[tuple[str, str]]


class Row(Struct, frozen=True):
    """One window. Latencies are milliseconds, sizes bytes."""

    second: int
    requests: int
    errors: int
    p50: float
    p99: float
    memory: int
    handles: int
    threads: int
    files: dict[str, int]


class Load:
    """Connections that send the mix one request after the other, each at its own pace.

    Attributes:
        acknowledged: successful answers by kind of request; hits of a batch count one by one.
        errors: other answers, by kind and status.
        times: seconds of each answer in the present window.
    """

    def __init__(self, url: str, made: Made) -> None:
        self._address, self._made = urlsplit(url), made
        self.acknowledged: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.times: list[float] = []
        self.pause = 0.0
        self.stopping = False

    async def run(self, number: int) -> None:
        """Send requests on one connection until stopped."""
        reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        draw = random.Random(number)
        try:
            for kind, amount, request in requests(draw, self._made):
                if self.stopping:
                    return
                started = time.perf_counter()
                writer.write(request)
                status = await _answer(reader)
                took = time.perf_counter() - started
                self.times.append(took)
                if status in (200, 202):
                    self.acknowledged[kind] += amount
                else:
                    self.errors[f"{kind} {status}"] += 1
                if self.pause > took:
                    await asyncio.sleep((self.pause - took) * draw.uniform(0.5, 1.5))
        finally:
            writer.close()

    async def create_counters(self) -> None:
        """Count once on every key that will be read."""
        reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        for key in range(KEYS_READ):
            writer.write(_get(f"/hit/soak/key-{key}"))
            assert await _answer(reader) == 200
            self.acknowledged["hit"] += 1
        writer.close()

    async def ask_statistics(self) -> None:
        """Request reports, one after the other."""
        reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        head = f"Host: {HOST}\r\nAuthorization: Bearer {self._made.token}\r\nContent-Type: application/json\r\n\r\n"
        try:
            for page in itertools.cycle(("total", "hits", "browsers", "toprefs", "locations")):
                if self.stopping:
                    return
                writer.write(f"GET /api/v0/stats/{page} HTTP/1.1\r\n{head}".encode())
                if (status := await _answer(reader)) != 200:
                    self.errors[f"statistics {status}"] += 1
                self.acknowledged["statistics"] += 1
                await asyncio.sleep(PAUSE_S)
        finally:
            writer.close()


def requests(draw: random.Random, made: Made) -> Iterator[tuple[str, int, bytes]]:
    """The mix, without end: the kind, how much it counts, the request."""
    makers: list[tuple[Callable[[], tuple[str, int, bytes]], int]] = [
        (lambda: ("hit", 1, _get(f"/hit/soak/key-{draw.randrange(KEYS)}")), 50),
        (lambda: ("get", 0, _get(f"/get/soak/key-{draw.randrange(KEYS_READ)}")), 12),
        (lambda: ("created", 1, _get(f"/hit/soak-new/{draw.getrandbits(60):x}")), 1),
        (lambda: ("pixel", 1, _pixel(draw)), 24),
        (lambda: ("increment", 1, _increment(draw, made)), 10),
        (lambda: ("batch", HITS_IN_BATCH, _batch(draw, made.token)), 3),
    ]
    choices, weights = zip(*makers, strict=True)
    while True:
        yield draw.choices(choices, weights)[0]()


def _get(target: str, host: str = "count.example.com", *headers: str) -> bytes:
    return "\r\n".join((f"GET {target} HTTP/1.1", f"Host: {host}", *headers, "", "")).encode()


def _visitor(draw: random.Random) -> str:
    visitor = draw.randrange(VISITORS)
    return f"11.0.{visitor // 250}.{visitor % 250 + 1}"


def _pixel(draw: random.Random) -> bytes:
    target = f"/count?p=%2Fpage-{draw.randrange(PATHS)}&t=Page&s=1920&rnd={draw.getrandbits(20)}"
    return _get(target, HOST, f"User-Agent: {draw.choice(AGENTS)}", f"X-Forwarded-For: {_visitor(draw)}")


def _increment(draw: random.Random, made: Made) -> bytes:
    counter, token = draw.choice(made.counters)
    head = f"Host: bench\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
    return f"POST /v1/counters/{counter}/increment HTTP/1.1\r\n{head}".encode()


def _batch(draw: random.Random, token: str) -> bytes:
    hits = [
        {"path": f"/page-{draw.randrange(PATHS)}", "user_agent": draw.choice(AGENTS), "ip": _visitor(draw)}
        for _ in range(HITS_IN_BATCH)
    ]
    body = msgspec.json.encode({"hits": hits})
    head = (
        f"POST /api/v0/count HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head[9:12])


@app.default
def main(*, minutes: AtLeastOne = 60, window: AtLeastOne = 60, json: Path | None = None) -> None:
    """Load a server, and print a line a window.

    Args:
        minutes: of load at half speed, after twenty seconds at full speed that measure it.
        window: seconds for each line.
        json: a file for all lines.
    """
    console.print(machine())
    with servers.working_folder() as folder:
        made = _prepared(folder / "data")
        options = ("--rate-limit", "off", "--trusted-proxy", "127.0.0.1")
        with servers.tallystick(folder / "data", *options) as server:
            rows, load = uvloop.run(_soak(server, made, folder / "data", minutes * 60, window))
        exact = _recounted(folder / "data", load.acknowledged)
    _print(rows, load)
    if json:
        json.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": machine(), "rows": rows})))
    sys.exit(0 if exact and not load.errors else 1)


def _prepared(data: Path) -> Made:
    counters = shared.prepare(data).many
    now = time.time_ns() // 1_000_000
    with closing(open_database(None, data).session(writes=True)) as session, session.transaction():
        person = create_account(session, NewAccount(email="soak@example.com", password="-"), now)  # noqa: S106
        create_site(session, person, NewSite(cname=HOST), now)
        owner = account(session, person.id)
        assert owner is not None
        token = NewToken(name="soak", permissions=Permission.COUNT | Permission.STATS, sites=(EVERY_SITE,))
        return Made(create_token(session, owner, token, now)[1], counters)


async def _soak(server: servers.Process, made: Made, data: Path, seconds: int, window: int) -> tuple[list[Row], Load]:
    load = Load(server.url, made)
    await load.create_counters()
    crowd = Crowd()
    for request in (UPGRADE, STREAM):
        await crowd.join(server.url, request.format(token=made.counters[0][1]), LISTENERS // 2)
    tasks = [asyncio.create_task(load.run(number)) for number in range(CONNECTIONS)]
    tasks.append(asyncio.create_task(load.ask_statistics()))
    await asyncio.sleep(CALIBRATION_S)
    full = len(load.times) / CALIBRATION_S
    load.pause = 2 * CONNECTIONS / full
    console.print(f"Full speed {full:,.0f} requests/s; from now on about half of that, {LISTENERS} listeners.")
    rows: list[Row] = []
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        load.times.clear()
        before = load.errors.total()
        await asyncio.sleep(window)
        if failed := [task for task in tasks if task.done()]:
            failed[0].result()
        elapsed = round(time.monotonic() - started)
        rows.append(_row(elapsed, load, before, server, data))
        last = rows[-1]
        console.print(
            f"{elapsed:5} s {last.requests / window:8,.0f}/s  p50 {last.p50:6.2f}  p99 {last.p99:7.2f} ms"
            f"  {last.memory / 1e6:6.1f} MB  {last.handles} handles  {last.threads} threads  "
            + "  ".join(f"{name.replace('.sqlite3', '')} {size / 1e6:.1f}" for name, size in last.files.items())
        )
    load.stopping = True
    await asyncio.wait(tasks, timeout=60)
    crowd.leave()
    return rows, load


def _row(second: int, load: Load, errors_before: int, server: servers.Process, data: Path) -> Row:
    process = Path(f"/proc/{server.pid}")
    return Row(
        second=second,
        requests=len(load.times),
        errors=load.errors.total() - errors_before,
        p50=percentile(load.times, 0.5) * 1000,
        p99=percentile(load.times, 0.99) * 1000,
        memory=server.memory,
        handles=len(os.listdir(process / "fd")),  # noqa: PTH208  # names only
        threads=len(os.listdir(process / "task")),  # noqa: PTH208
        files={name: (data / name).stat().st_size for name in FILES if (data / name).exists()},
    )


def _recounted(data: Path, acknowledged: Counter[str]) -> bool:
    """Compare the acknowledged counts with those that the stopped server stored."""
    with closing(open_database(None, data).session()) as session:
        [(public,)] = session.connection.execute("SELECT sum(value) FROM counter WHERE namespace LIKE 'soak%'")
    found = {"public counters": public, "shared counters": shared.counted(data), "pageviews": stored(data)}
    expected = {
        "public counters": acknowledged["hit"] + acknowledged["created"],
        "shared counters": acknowledged["increment"],
        "pageviews": acknowledged["pixel"] + acknowledged["batch"],
    }
    for name, amount in expected.items():
        console.print(f"{name}: {amount:,} acknowledged, {found[name]:,} stored")
    # Every answer was read before its connection was closed, so nothing may be left over.
    return found == expected


def _print(rows: list[Row], load: Load) -> None:
    table = Table(title="First and last tenth of the run", title_justify="left")
    for column in ("", "requests/s", "p50 ms", "p99 ms", "memory MB", "handles", "threads"):
        table.add_column(column, justify="right")
    tenth = max(len(rows) // 10, 1)
    for name, part in (("first", rows[:tenth]), ("last", rows[-tenth:])):
        seconds = rows[0].second
        table.add_row(
            name,
            f"{sum(row.requests for row in part) / len(part) / seconds:,.0f}",
            f"{percentile([row.p50 for row in part], 0.5):.2f}",
            f"{percentile([row.p99 for row in part], 0.5):.2f}",
            f"{part[-1].memory / 1e6:.1f}",
            str(part[-1].handles),
            str(part[-1].threads),
        )
    console.print(table)
    console.print(f"Answers by kind: {dict(load.acknowledged)}; errors: {dict(load.errors) or 'none'}")


if __name__ == "__main__":
    app()
