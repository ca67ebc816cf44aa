"""What a start prints, and what a start that is refused leaves behind."""

import json
import socket
from pathlib import Path

import pytest

from support.analytics import HOST, prepare
from support.commands import CommandLine
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


def test_the_base_path_is_part_of_every_address(tmp_path: Path, run: CommandLine) -> None:
    (tmp_path / "data").mkdir()
    prepare(tmp_path / "data", host=HOST)
    with running_server(tmp_path / "data", "--base-path", "/tools/stats") as server:
        assert server.url.endswith("/tools/stats")
        assert f"curl {server.url}/hit/example.com/visits" in server.output
        assert server.get("/health/ready").status_code == 200
        listen = server.url.removeprefix("http://").removesuffix("/tools/stats")
        options = ("--data", str(server.data), "--listen", listen, "--base-path", "/tools/stats")
        assert f"OK\treadiness\t{server.url}/health/ready: it counts" in run("doctor", *options).succeeded()
        assert run("ready", "--data", str(server.data)).succeeded() == "ready\n"
        # A command that asks the server on this data directory.
        assert "Top pages" in run("stats", "--data", str(server.data)).succeeded()


def test_the_setup_page_is_under_the_base_path_of_the_public_url(tmp_path: Path) -> None:
    options = ("--base-path", "/stats", "--public-url", "https://example.com")
    with running_server(tmp_path / "data", *options) as server:
        assert "create the first at https://example.com/stats/setup with the code" in server.output
    unix = tmp_path / "http.sock"
    with running_server(tmp_path / "data", *options, listen=f"unix:{unix}") as server:
        assert f" at unix:{unix}\n  under     /stats\n" in server.output
        assert f"curl --unix-socket {unix} http://localhost/stats/hit/" in server.output


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
