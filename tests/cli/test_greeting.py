"""What a start prints, and what a start that is refused leaves behind."""

import json
import socket
from pathlib import Path

import pytest

from support.server import running_server, tallystick


@pytest.mark.parametrize(
    ("listen", "url", "everywhere"),
    [
        (":0", "http://127.0.0.1:", True),
        ("0.0.0.0:0", "http://127.0.0.1:", True),
        ("[::]:0", "http://[::1]:", True),
        ("127.0.0.1:0", "http://127.0.0.1:", False),
    ],
)
def test_the_address_can_be_opened(tmp_path: Path, listen: str, url: str, *, everywhere: bool) -> None:
    with running_server(tmp_path / "data", listen=listen) as server:
        assert server.url.startswith(url)
        assert (" and at every other address of this machine\n" in server.output) is everywhere
        assert f"curl {server.url}/hit/example.com/visits" in server.output
        assert "0.0.0.0" not in server.output


def test_the_greeting_is_json_where_logs_are(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--log-format", "json", listen=":0") as server:
        lines = [json.loads(line) for line in server.output.splitlines()]
        (greeting,) = [line for line in lines if "url" in line]
    assert greeting["url"] == server.url
    assert greeting["everywhere"] is True
    assert greeting["data"].endswith("ledger.sqlite3 (durability: full)")
    assert greeting["setup"] == f"{server.url}/setup"
    assert len(greeting["setup_code"]) == 19


@pytest.mark.parametrize("database", [None, "postgresql://user@127.0.0.1:1/name"], ids=["taken port", "no database"])
@pytest.mark.parametrize("below", ["data", "a/b/data"])
def test_a_refused_start_leaves_nothing(tmp_path: Path, database: str | None, below: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] if database is None else 0
        options = ["--database", database] if database else []
        ran = tallystick("serve", "--data", tmp_path / below, "--listen", f"127.0.0.1:{port}", *options)
    assert ran.returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_a_refused_start_leaves_a_directory_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").write_text("mine")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        tallystick("serve", "--data", tmp_path / "data", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert (tmp_path / "data" / "notes.txt").read_text() == "mine"
