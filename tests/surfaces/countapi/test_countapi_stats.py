"""``stats``: exact, and kept across restarts."""

import asyncio
import time
from pathlib import Path

import pytest

from support.asking import ask
from support.in_process import InProcess, in_process
from support.server import RunningServer, running_server
from tallystick import __version__
from tallystick.errors import StoreBusy
from tallystick.gathering import GatheringThread
from tallystick.ledger import Totals, open_database


async def stats(site: InProcess) -> tuple[int, int, int]:
    told = (await site.ask("/stats")).json()
    return told["keys_created"], told["keys_updated"], told["requests"]


WORTH: list[tuple[str, str, int, int]] = [
    # method, request, keys_created, keys_updated
    ("GET", "/create?key=new", 1, 0),
    ("GET", "/create?key=present", 0, 0),
    ("GET", "/create?key=ab", 0, 0),
    ("GET", "/hit/new", 1, 1),
    ("GET", "/hit/present", 0, 1),
    ("POST", "/hit/present/", 0, 1),
    ("GET", "/hit/present?img", 0, 1),
    ("GET", "/hit/present?callback=f", 0, 1),
    ("GET", "/hit/present?callback=1", 0, 0),
    ("GET", "/hit/ab", 0, 0),
    ("GET", "/update/present?amount=1", 0, 1),
    ("GET", "/update/present?amount=0", 0, 1),
    ("GET", "/update/present?amount=9", 0, 0),
    ("GET", "/update/present", 0, 0),
    ("GET", "/update/new?amount=1", 0, 0),
    ("GET", "/set/present?value=1", 0, 1),
    ("GET", "/set/present?value=x", 0, 0),
    ("GET", "/set/new?value=1", 0, 0),
    ("GET", "/get/present", 0, 0),
    ("GET", "/get/new", 0, 0),
    ("GET", "/info/present", 0, 0),
    ("GET", "/stats", 0, 0),
    ("GET", f"/get/present?{'x' * 9_000}", 0, 0),
    ("HEAD", "/hit/present", 0, 0),
    ("HEAD", "/create?key=new", 0, 0),
    ("OPTIONS", "/hit/present", 0, 0),
    ("PUT", "/hit/present", 0, 0),
    ("GET", "/some/unknown/path", 0, 0),
    ("GET", f"/get/{'x' * 9_000}", 0, 0),
]


@pytest.mark.parametrize(("method", "target", "created", "updated"), WORTH, ids=lambda value: str(value)[:30])
async def test_every_request_counts_once(tmp_path: Path, method: str, target: str, created: int, updated: int) -> None:
    async with in_process(tmp_path) as site:
        await site.ask("/create?key=present&enable_reset=1")
        assert await stats(site) == (1, 0, 2)
        await site.ask(target, method=method)
        assert await stats(site) == (1 + created, updated, 4)


@pytest.mark.parametrize("target", ["/health/live", "/health/ready", "/metrics", "/", "/openapi.json"])
async def test_other_surfaces_do_not_count(tmp_path: Path, target: str) -> None:
    async with in_process(tmp_path) as site:
        assert (await site.ask(target, headers=[("Host", "localhost")])).status == 200
        assert await stats(site) == (0, 0, 1)


async def test_many_at_once_are_all_counted(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        targets = [f"/{verb}/key-{number % 7}" for number in range(300) for verb in ("hit", "get")]
        await asyncio.gather(*(site.ask(target) for target in targets))
        assert await stats(site) == (7, 300, 601)


async def test_a_request_that_finds_the_queue_full_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = False
    submit = GatheringThread.submit

    def submit_unless_busy(self: GatheringThread[object], item: object) -> None:
        if busy:
            raise StoreBusy
        submit(self, item)

    monkeypatch.setattr(GatheringThread, "submit", submit_unless_busy)
    async with in_process(tmp_path) as site:
        busy = True
        for target in ("/hit/visits", "/create?key=visits", "/set/visits?value=1", "/get/visits", "/stats"):
            assert (await site.ask(target)).status == 503
        busy = False
        assert await stats(site) == (0, 0, 6)


def told(server: RunningServer) -> dict[str, int | str]:
    answer: dict[str, int | str] = ask(server.url, "/stats").json()
    return answer


def make_traffic(server: RunningServer) -> int:
    """A bit of everything; answers how many requests it made: 2 keys, 4 changes."""
    targets = [
        "/hit/first",
        "/hit/first",
        "/hit/second",
        "/hit/second",
        "/get/first",
        "/get/third",
        "/hit/ab",
        "/nowhere",
    ]
    for target in targets:
        ask(server.url, target)
    return len(targets)


def test_stats_survive_an_orderly_restart(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        made = make_traffic(server)
        assert server.stop() == 0
    with running_server(tmp_path) as server:
        made += make_traffic(server) + 1
        assert told(server) == {"keys_created": 2, "keys_updated": 8, "requests": made, "version": __version__}


def test_stats_survive_a_kill(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        made = make_traffic(server)
        # Nobody asks for stats here: the server keeps the last second's reads by itself.
        wait_until_kept(tmp_path, requests=made)
        server.kill()
    with running_server(tmp_path) as server:
        assert told(server) == {"keys_created": 2, "keys_updated": 4, "requests": made + 1, "version": __version__}


def test_a_kill_right_after_the_answers_loses_reads_at_most(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        made = make_traffic(server)
        changed = 4
        server.kill()
    with running_server(tmp_path) as server:
        after = told(server)
        assert (after["keys_created"], after["keys_updated"]) == (2, changed)
        assert changed + 1 <= int(after["requests"]) <= made + 1


def wait_until_kept(data: Path, *, requests: int) -> None:
    deadline = time.monotonic() + 30
    while (kept := stored(data).requests) < requests:
        assert time.monotonic() < deadline, kept
        time.sleep(0.02)


def stored(data: Path) -> Totals:
    """What another process reads from the data directory."""
    session = open_database(None, data).session()
    try:
        with session.snapshot():
            return session.totals()
    finally:
        session.close()
