"""A server is killed and one of its files is lost: the next start says so in one line, and goes on when told to."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from support.server import RunningServer, clean_environment, running_server, tallystick
from tallystick.ledger import open_database
from tallystick.services.accounts.accounts import NewAccount, create_account
from tallystick.services.accounts.sites import NewSite, create_site

HOST = {"host": "stats.example.com", "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Firefox/120.0"}
LOST = {
    "DuckDB's WAL": ["warehouse.duckdb.wal"],
    "the journal": ["warehouse-journal.sqlite3", "warehouse-journal.sqlite3-wal"],
    "the ledger's WAL": ["ledger.sqlite3-wal"],
}


def make_site(data: Path) -> None:
    data.mkdir()
    database = open_database(None, data)
    database.migrate()
    with closing(database.session(writes=True)) as session, session.transaction():
        person = create_account(session, NewAccount(email="ada@example.com", password="correct horse"), 0)
        create_site(session, person, NewSite(cname=HOST["host"]), 0)


def visit(server: RunningServer, path: str) -> None:
    answer = httpx.get(f"{server.url}/count", params={"p": path}, headers=HOST, timeout=30)
    assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as a kill left it, a while after its hits were moved."""
    data = tmp_path_factory.mktemp("killed") / "data"
    make_site(data)
    for _ in range(2):  # the second one finds files without WALs
        with running_server(data, "--rate-limit", "off") as server:
            for number in range(20):
                visit(server, f"/{time.monotonic_ns()}-{number}")
            time.sleep(3)
            server.kill()
    return data


@pytest.mark.parametrize("names", LOST.values(), ids=LOST)
def test_a_lost_file_is_refused_in_one_line_and_can_be_accepted(killed: Path, tmp_path: Path, names: list[str]) -> None:
    data = tmp_path / "data"
    shutil.copytree(killed, data)
    for name in names:
        (data / name).unlink()
    for command in (["serve", "--listen", "127.0.0.1:0"], ["backup", tmp_path / "backup.db"]):
        refused = tallystick(*command, "--data", data)
        assert refused.returncode == 1, refused
        [line] = [line for line in refused.stderr.splitlines() if line.startswith("tallystick: ")]
        assert "Traceback" not in refused.stderr
        assert "do not fit together" in line
        assert "--accept-loss" in line
    with running_server(data, "--accept-loss") as server:
        visit(server, "/after")
        server.stop()
    with running_server(data) as server:
        visit(server, "/after")


def test_a_kill_alone_is_refused_by_nothing(killed: Path, tmp_path: Path) -> None:
    shutil.copytree(killed, tmp_path / "data")
    with running_server(tmp_path / "data") as server:
        visit(server, "/after")


@contextmanager
def server_at(data: Path, offset: str) -> Iterator[str]:
    """The URL of a server whose clock is off."""
    process = subprocess.Popen(
        [
            "faketime",
            "-f",
            offset,
            sys.executable,
            "-m",
            "tallystick",
            "serve",
            "--data",
            data,
            "--listen",
            "127.0.0.1:0",
        ],
        env=clean_environment(),
        cwd=tempfile.gettempdir(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        output = ""
        for line in process.stdout:
            output += line
            if found := re.search(r"at (http://\S+)", line):
                yield found[1]
                break
        else:
            raise AssertionError(output)
    finally:
        # faketime itself passes no signal on.
        os.killpg(process.pid, signal.SIGTERM)
        assert process.stdout is not None
        process.stdout.read()
        process.wait(30)
        process.stdout.close()


def test_a_clock_that_is_ahead_is_told_and_not_believed_after_a_restart(killed: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(killed, data)
    for _ in range(2):
        with server_at(data, "+60d") as url:
            deadline = time.monotonic() + 20
            while "clock" not in (ready := httpx.get(f"{url}/health/ready").json()) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert ready["status"] == "ready"
            assert "ahead of the newest commit" in ready["clock"]
            metrics = httpx.get(f"{url}/metrics").text
            assert re.search(r"^tallystick_clock_ahead_seconds 5\.1\d+e\+06", metrics, re.MULTILINE)
