"""What the tests of the command line share."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.places import Place, fill
from support.postgres import Postgres


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, quick_passwords: None
) -> Iterator[CommandLine]:
    """``tallystick``, in an empty working directory."""
    del quick_passwords
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield CommandLine(monkeypatch, capsys)
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def storage(database_url: str | None) -> tuple[str, ...]:
    """The options that name an empty place of either kind."""
    return ("--data", "data") if database_url is None else ("--data", "data", "--database", database_url)


@pytest.fixture
def place(run: CommandLine, database_url: str | None) -> Place:
    """An empty place of either kind, in the working directory that ``run`` has made."""
    del run
    return Place("data", database_url)


@pytest.fixture
def file_place(run: CommandLine) -> Place:
    """An empty place for a ledger in a file."""
    del run
    return Place("data", None)


@pytest.fixture
def other(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A second empty place of either kind."""
    if request.param == "sqlite":
        yield Place("other", None)
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.fresh_database() as url:
        yield Place("other", url)


@pytest.fixture
def backup(run: CommandLine) -> Path:
    """A backup with ten counters; ``run`` has made its working directory."""
    source = Place("source", None)
    fill(source, 10)
    run("backup", "backup.db", *source.options).succeeded()
    shutil.rmtree("source")
    return Path("backup.db")
