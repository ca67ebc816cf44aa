"""Damaged files: doctor finds them, and serve refuses in one line."""

import random
from pathlib import Path

import httpx
import pytest

from support.commands import CommandLine
from support.server import running_server, tallystick
from tallystick.ledger.sqlite import SqliteDatabase

FILES = ("ledger.sqlite3", "warehouse-journal.sqlite3", "warehouse.duckdb")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a directory in which something was counted."""
    data = tmp_path_factory.mktemp("whole") / "data"
    with running_server(data, "--rate-limit", "off") as server:
        for number in range(200):
            httpx.get(f"{server.url}/hit/example.com/visits-{number}")
        server.stop()
    return {name: (data / name).read_bytes() for name in FILES}


def put(whole: dict[str, bytes], data: Path, **changed: bytes) -> None:
    data.mkdir(exist_ok=True)
    for name, content in (whole | changed).items():
        (data / name).write_bytes(content)


def flipped(content: bytes, seed: int, *, share: int = 40) -> bytes:
    """Every so many-th byte is another one, but in the first hundred, which say what the file is."""
    chosen = random.Random(seed)
    changed = bytearray(content)
    for _ in range(len(content) // share):
        changed[chosen.randrange(100, len(content))] ^= 0xFF
    return bytes(changed)


def status(run: CommandLine, data: Path, *options: str) -> dict[str, str]:
    lines = [line.split("\t") for line in run("doctor", "--data", data, *options).out.splitlines()]
    return {row[1]: row[0] for row in lines if row[0] != "setting"}


def test_whole_files_are_fit(run: CommandLine, whole: dict[str, bytes], tmp_path: Path) -> None:
    put(whole, tmp_path / "data")
    for options in ((), ("--thorough",)):
        assert "FAIL" not in status(run, tmp_path / "data", *options).values()
    assert {name: (tmp_path / "data" / name).read_bytes() for name in FILES} == whole


@pytest.mark.parametrize("name", FILES)
def test_doctor_finds_flipped_bytes(run: CommandLine, whole: dict[str, bytes], tmp_path: Path, name: str) -> None:
    put(whole, tmp_path / "data", **{name: flipped(whole[name], 1)})
    assert "FAIL" in status(run, tmp_path / "data", "--thorough").values()
    assert "FAIL" in status(run, tmp_path / "data").values()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", range(3))
def test_serve_refuses_damaged_files_in_one_line(whole: dict[str, bytes], tmp_path: Path, name: str, seed: int) -> None:
    put(whole, tmp_path / "data", **{name: flipped(whole[name], seed, share=20)})
    refused = tallystick("serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stdout + refused.stderr
    lines = [line for line in refused.stderr.splitlines() if line.startswith("tallystick: ")]
    assert len(lines) == 1, refused
    assert str(tmp_path / "data") in lines[0]


def test_doctor_finds_stores_that_do_not_fit(run: CommandLine, whole: dict[str, bytes], tmp_path: Path) -> None:
    data = tmp_path / "data"
    put(whole, data)
    (data / "ledger.sqlite3").unlink()
    SqliteDatabase(data / "ledger.sqlite3").migrate()
    found = run("doctor", "--data", data)
    line = next(line for line in found.out.splitlines() if "\tstores\t" in line)
    assert line.startswith("FAIL")
    assert "--accept-loss" in line
    assert found.code == 1
