"""Files are for their owner alone, whatever the mode of the data directory is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.server import running_server, tallystick
from tallystick.services.privacy import open_to_others


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(data: Path) -> dict[str, int]:
    return {str(file.relative_to(data)): file.stat().st_mode & 0o777 for file in data.rglob("*") if file.is_file()}


def test_a_server_in_a_directory_of_others_writes_for_its_owner_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    with running_server(data) as server:
        server.get("/hit/example.com/visits")
        found = modes(data)
        command = tallystick("backup", tmp_path / "backup.db", "--data", data)
        assert command.returncode == 0, command
    assert {"ledger.sqlite3", "ledger.sqlite3-wal", "warehouse.duckdb", "warehouse-journal.sqlite3"} <= set(found)
    assert {name for name, mode in found.items() if mode & 0o077} == set()
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600
    assert {name for name, mode in modes(data).items() if mode & 0o077} == set()


def test_older_files_that_others_can_read_are_told_and_closed_to_them(run: CommandLine, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "exports").mkdir(parents=True)
    ours = ["ledger.sqlite3", "ledger.sqlite3-wal", "warehouse.duckdb.wal", "secret.key", "exports/1.csv"]
    for name in (*ours, "notes.txt"):
        (data / name).touch(mode=0o644)
    found = run("doctor", "--data", data).out
    line = next(line for line in found.splitlines() if "file modes" in line)
    assert line.startswith("WARN")
    assert all(name in line for name in ours)
    assert "notes.txt" not in line
    with running_server(tmp_path / "served") as server:
        server.stop()
    for file in (tmp_path / "served").glob("ledger*"):
        file.chmod(0o644)
    with running_server(tmp_path / "served"):
        assert list(open_to_others(tmp_path / "served")) == []
