"""kill -9 of an import, or of the server that it feeds, loses no line and stores none twice."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from support.analytics import Prepared, prepare
from support.server import RunningServer, clean_environment, running_server, tallystick
from tallystick.ledger.ledger import milliseconds

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LINES = 12_000
ROUNDS = 5


class Importing:
    """An import that is killed again and again.

    Args:
        to: options that say where.
    """

    def __init__(self, log: Path, to: tuple[str, ...], **variables: str) -> None:
        self.arguments = ("import", str(log), "--format", "combined", *to)
        self.variables = {**variables, "XDG_STATE_HOME": str(log.parent / "state")}
        self._journals = (log.parent / "state" / "tallystick" / "imports", log.parent / "data" / "imports")

    def begin(self) -> "subprocess.Popen[bytes]":
        """Start it, and return when it has got further than before, or is done."""
        before = self._noted()
        process = subprocess.Popen(
            [sys.executable, "-m", "tallystick", *self.arguments],
            env=clean_environment(**self.variables),
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and self._noted() == before:
            time.sleep(0.01)
        time.sleep(random.random() * 0.3)
        return process

    def end(self) -> str:
        """Let it finish; what it said."""
        ran = tallystick(*self.arguments, **self.variables)
        assert ran.returncode == 0, ran
        return ran.stderr

    def _noted(self) -> list[int]:
        files = [file for journal in self._journals for file in journal.glob("*.json")]
        return sorted(file.stat().st_mtime_ns for file in files)


@pytest.fixture
def site(tmp_path: Path) -> Prepared:
    (tmp_path / "data").mkdir()
    return prepare(tmp_path / "data", now=milliseconds())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Each line is a path of its own."""
    file = tmp_path / "access.log"
    at = "08/Mar/2026:14:05:07 +0000"
    file.write_text(
        "".join(f'192.0.2.{n % 200} - - [{at}] "GET /{n} HTTP/1.1" 200 5 "-" "{AGENT}"\n' for n in range(LINES))
    )
    return file


@pytest.fixture
def server(tmp_path: Path, site: Prepared) -> Iterator[RunningServer]:
    del site
    with running_server(tmp_path / "data", "--rate-limit", "off") as running:
        yield running


def check(data: Path) -> None:
    """Every line is there once."""
    with closing(duckdb.connect(str(data / "warehouse.duckdb"))) as connection:
        stored = connection.execute("SELECT count(*), count(DISTINCT path) FROM hit").fetchone()
    assert stored == (LINES, LINES)


@pytest.mark.usefixtures("site")
def test_of_an_import_into_the_data_directory(tmp_path: Path, log: Path) -> None:
    importing = Importing(log, ("--data", str(tmp_path / "data")))
    for _ in range(ROUNDS):
        process = importing.begin()
        process.kill()
        process.wait()
    importing.end()
    check(tmp_path / "data")


def test_of_an_import_through_the_api(tmp_path: Path, log: Path, server: RunningServer, site: Prepared) -> None:
    importing = Importing(log, ("--site", server.url), TALLYSTICK_TOKEN=site.token)
    for _ in range(ROUNDS):
        process = importing.begin()
        process.kill()
        process.wait()
    importing.end()
    assert server.stop() == 0
    check(tmp_path / "data")


def test_of_the_server(tmp_path: Path, log: Path, site: Prepared) -> None:
    """The import waits for the server to come back."""
    data = tmp_path / "data"
    with running_server(data, "--rate-limit", "off") as server:
        listen = server.url.removeprefix("http://")
        importing = Importing(log, ("--site", server.url), TALLYSTICK_TOKEN=site.token)
        process = importing.begin()
        server.kill()
    for _ in range(2):
        with running_server(data, "--rate-limit", "off", listen=listen) as server:
            time.sleep(random.random() * 2)
            server.kill()
    with running_server(data, "--rate-limit", "off", listen=listen) as server:
        assert process.wait(timeout=60) == 0
        assert server.stop() == 0
    check(data)
