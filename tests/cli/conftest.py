"""What the tests of the command line share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.places import Place, fill, with_ledger
from support.postgres import Postgres


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, quick_passwords: None
) -> CommandLine:
    """``tallystick``, in an empty working directory."""
    del quick_passwords
    monkeypatch.chdir(tmp_path)
    return CommandLine(monkeypatch, capsys)


@pytest.fixture
def nowhere(run: CommandLine, database_url: str | None) -> Place:
    """A place of either kind where there is no ledger, in the working directory that ``run`` has made."""
    del run
    return Place("data", database_url)


@pytest.fixture
def place(run: CommandLine, ledger_url: str | None) -> Place:
    """A place of either kind with an empty ledger."""
    del run
    return with_ledger(Place("data", ledger_url))


@pytest.fixture
def storage(place: Place) -> tuple[str, ...]:
    """The options that name a place of either kind with an empty ledger."""
    return place.options


@pytest.fixture
def file_place(run: CommandLine) -> Place:
    """A place for a ledger in a file, with an empty one."""
    del run
    return with_ledger(Place("data", None))


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
