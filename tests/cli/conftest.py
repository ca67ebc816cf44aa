"""What the tests of the command line share."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import CommandLine


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[CommandLine]:
    """``tallystick``, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield CommandLine(monkeypatch, capsys)
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def storage(database_url: str | None) -> tuple[str, ...]:
    """The options that name an empty place of either kind."""
    return ("--data", "data") if database_url is None else ("--data", "data", "--database", database_url)
