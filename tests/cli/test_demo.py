"""``tallystick demo``: a filled site in one command."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import apsw
import httpx
import pytest

from support.commands import CommandLine
from support.server import RunningServer, clean_environment
from tallystick.cli.doctor import LEDGER_FILE
from tallystick.cli.support.demo_content import MAIN, NOTES, SHOUTED_DAYS_AGO, SITES
from tallystick.cli.support.demo_visits import DAYS, LIVE_S, DemoHit, hits_of_day, visits_by_day
from tallystick.model.period import DAY_S
from tallystick.warehouse import warehouse_storage

NOW = int(datetime(2026, 3, 10, 15, 20, 5, tzinfo=UTC).timestamp())
SOME = 4_000
WITHIN_S = 60.0


def hits(site: int = 0, ago: int = 5) -> list[DemoHit]:
    """The hits of a day."""
    return hits_of_day(SITES[site], ago, visits_by_day(SITES[site], SOME, NOW)[DAYS - ago], NOW)


def test_the_visits_are_the_same_each_time() -> None:
    assert hits() == hits()
    assert hits(ago=5) != hits(ago=6)


def test_the_days_have_the_visits_that_were_asked_for() -> None:
    days = visits_by_day(MAIN, SOME, NOW)
    assert len(days) == DAYS + 1
    assert sum(days) == pytest.approx(SOME, rel=0.03)


def test_the_busiest_day_is_the_one_with_the_link() -> None:
    days = visits_by_day(MAIN, SOME, NOW)
    assert max(range(len(days)), key=days.__getitem__) == DAYS - SHOUTED_DAYS_AGO


def test_no_hit_is_outside_of_its_time() -> None:
    for ago in (0, 1, SHOUTED_DAYS_AGO, DAYS):
        times = [hit.created for hit in hits(ago=ago)]
        assert times == sorted(times)
        assert NOW - NOW % DAY_S - ago * DAY_S <= times[0] or not ago
        assert times[-1] <= NOW


@pytest.mark.parametrize("second", [0, 1, DAY_S // 2, DAY_S - 1])
def test_there_are_visits_of_the_last_half_hour_at_any_time_of_the_day(second: int) -> None:
    now = NOW - NOW % DAY_S + second
    latest = hits_of_day(NOTES, 0, visits_by_day(NOTES, SOME, now)[-1], now)
    assert sum(hit.created > now - LIVE_S for hit in latest) > 10
    assert max(hit.created for hit in latest) <= now


def test_pages_are_not_read_before_they_were_published() -> None:
    read = Counter(hit.name for ago in range(DAYS, 300, -1) for hit in hits(ago=ago))
    assert read["/"] > 20
    assert not read["/blog/a-quiet-inbox"]


@contextmanager
def the_demo(folder: Path, *options: str, visits: int = 1_000, listen: str = "127.0.0.1:0") -> Iterator[RunningServer]:
    """Start the demo; temporary directories are made in ``folder``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tallystick", "demo", "--visits", str(visits), "--listen", listen, *options],
        env=clean_environment(TMPDIR=str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = RunningServer(process, folder, None)
    try:
        yield running
    finally:
        running.close()


def wait_for(text: str, running: RunningServer) -> None:
    """Wait until the demo has printed something."""
    deadline = time.monotonic() + WITHIN_S
    while text not in running.output:
        assert time.monotonic() < deadline, running.output
        assert running.process.poll() is None, running.output
        time.sleep(0.02)


def stopped(running: RunningServer, number: signal.Signals = signal.SIGINT) -> int:
    """How the demo ends after a signal."""
    running.process.send_signal(number)
    return running.process.wait(timeout=WITHIN_S)


def password_of(running: RunningServer) -> str:
    """The password that it has printed."""
    found = re.search(r"log in .* with the password (\S+)$", running.output, re.MULTILINE)
    assert found, running.output
    return found[1]


def logs_in(url: str, password: str) -> bool:
    """Whether the demo's person can log in."""
    with httpx.Client(base_url=url, timeout=30) as browser:
        form = browser.get("/login").text
        token = re.search(r'name="token" value="([^"]+)"', form)
        assert token
        sent = {"token": token[1], "email": "demo@demo.example", "password": password}
        return browser.post("/login", data=sent).status_code == 303


def listed_pages(data: Path) -> list[str]:
    """The pages of the main site that lists of paths contain."""
    with closing(apsw.Connection(str(data / LEDGER_FILE), flags=apsw.SQLITE_OPEN_READONLY)) as ledger:
        ledger.set_busy_timeout(10_000)
        return [path for (path,) in ledger.execute("SELECT path FROM path WHERE site = 1 AND counted AND NOT event")]


def test_it_serves_counts_and_leaves_nothing(tmp_path: Path) -> None:
    with the_demo(tmp_path) as running:
        wait_for("Ctrl-C", running)
        (made,) = tmp_path.iterdir()
        assert running.get("/get/demo.example/downloads").json()["value"] == 48_217
        counted = running.get("/counter/TOTAL.json", headers={"host": "demo.example"}).json()
        assert int(counted["count_unique"].replace("\u202f", "")) > 500
        assert logs_in(running.url, password_of(running))
        assert not logs_in(running.url, "-")
        assert made.stat().st_mode & 0o077 == 0
        assert stopped(running) == 0
    assert "Traceback" not in running.output
    assert "warning" not in running.output
    assert list(tmp_path.iterdir()) == []


def test_it_keeps_a_directory_that_it_is_given_and_fills_it_once(tmp_path: Path) -> None:
    data = tmp_path / "kept"
    with the_demo(tmp_path, "--data", str(data)) as running:
        wait_for("Ctrl-C", running)
        first = password_of(running)
        assert stopped(running, signal.SIGTERM) == 0
    before = warehouse_storage(data).count()
    assert before > 2_000
    assert len(listed_pages(data)) >= 15
    # Under a path, too: the addresses that it prints are those that answer.
    with the_demo(tmp_path, "--data", str(data), "--base-path", "/stats") as running:
        wait_for("Ctrl-C", running)
        assert "Inventing" not in running.output
        (opened, *_) = re.findall(r"open +(\S+)", running.output)
        assert opened.startswith(f"{running.url}/sites/")
        assert running.url.endswith("/stats")
        assert httpx.get(opened).status_code == 200
        assert httpx.get(running.url.removesuffix("stats")).status_code == 404
        assert not logs_in(running.url, first)
        assert logs_in(running.url, password_of(running))
        assert stopped(running) == 0
    assert before <= warehouse_storage(data).count() < before + 200


def test_it_prints_no_login_where_others_can_reach_it(tmp_path: Path) -> None:
    with the_demo(tmp_path, listen="0.0.0.0:0") as running:
        wait_for("Ctrl-C", running)
        assert "not possible: others than this machine can reach the demo" in running.output
        assert "password" not in running.output
        assert not logs_in(running.url, "-")
        assert stopped(running) == 0


def test_a_signal_while_it_is_filled_leaves_nothing(tmp_path: Path) -> None:
    with the_demo(tmp_path, "--data", str(tmp_path / "kept"), visits=1_000_000) as running:
        wait_for("Inventing", running)
        assert stopped(running) == 0
    assert "Traceback" not in running.output
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_something_else_is_refused_and_left_alone(run: CommandLine) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    told = run("demo", "--data", "mine").refused()
    assert told == "mine is neither empty nor an earlier demo's; nothing was changed. Give --data a new directory"
    assert [path.name for path in Path("mine").iterdir()] == ["notes.txt"]


def test_settings_of_another_server_are_not_used(run: CommandLine) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    Path("tallystick.toml").write_text('data = "mine"')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        told = run("demo", "--listen", address, variables={"TALLYSTICK_DATA": "mine"}).refused()
    assert told.startswith(f"cannot listen on {address}")
