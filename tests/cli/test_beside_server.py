"""Commands on the data of a running server."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.commands import CommandLine, Ran
from support.server import RunningServer

Beside = Callable[..., Ran]


@pytest.fixture
def beside(any_server: RunningServer, run: CommandLine) -> Beside:
    """Runs a command on the server's data."""
    options = ("--data", any_server.data, *(("--database", any_server.database) if any_server.database else ()))

    def run_beside(*arguments: str, stdin: bytes = b"") -> Ran:
        return run(*arguments, *options, stdin=stdin)

    return run_beside


def test_the_server_and_the_commands_see_each_others_counts(any_server: RunningServer, beside: Beside) -> None:
    def hit() -> object:
        return any_server.get("/hit/example.com/visits").json()["value"]

    assert [hit(), hit()] == [1, 2]
    assert beside("counter", "get", "example.com/visits").succeeded() == "2\n"
    # The server keeps rows in memory between batches: each change has to reach it.
    beside("counter", "set", "example.com/visits", "100").succeeded()
    assert any_server.get("/get/example.com/visits").json() == {"value": 100}
    assert hit() == 101
    beside("counter", "import", "-", "--existing", "replace", stdin=b"namespace,key,value\nexample.com,visits,500\n")
    assert hit() == 501
    beside("counter", "delete", "example.com/visits", "--yes").succeeded()
    assert any_server.get("/get/example.com/visits").status_code == 404
    assert hit() == 1
    beside("counter", "create", "example.com/stock", "--value", "7", "--update-upperbound", "3").succeeded()
    assert any_server.get("/update/example.com/stock?amount=3").json() == {"value": 10}
    assert beside("counter", "list").succeeded().splitlines()[0].startswith("example.com/stock\t10\t0\t3\t")
    exported = beside("counter", "export", "-", "--format", "jsonl").succeeded().splitlines()
    assert sorted((row["key"], row["value"]) for row in map(json.loads, exported)) == [("stock", 10), ("visits", 1)]


def test_a_backup_is_made_while_the_server_serves(any_server: RunningServer, beside: Beside, run: CommandLine) -> None:
    any_server.get("/hit/example.com/visits")
    beside("backup", "backup.db").succeeded()
    assert any_server.get("/hit/example.com/visits").json() == {"value": 2}
    assert "held by a" in beside("restore", "backup.db", "--force").refused()
    run("restore", "backup.db", "--data", "elsewhere").succeeded()
    assert run("counter", "get", "example.com/visits", "--data", "elsewhere").succeeded() == "1\n"
    assert any_server.stop() == 0
    beside("restore", "backup.db", "--force").succeeded()
    assert beside("counter", "get", "example.com/visits").succeeded() == "1\n"
    assert not Path("tallystick-data").exists()


def test_doctor_sees_the_server(any_server: RunningServer, beside: Beside) -> None:
    assert f"OK\tserver\tone is running on {any_server.data}" in beside("doctor").succeeded().splitlines()


def test_people_sites_and_tokens_made_beside_a_server_are_known_within_a_second(
    any_server: RunningServer, beside: Beside
) -> None:
    def asked(path: str, host: str, secret: str = "") -> int:
        return any_server.get(path, headers={"Host": host, "Authorization": f"Bearer {secret}"}).status_code

    one, two = "one.example.com", "two.example.com"
    made = beside("user", "create", "--email", "ada@example.com", "--password", "-", stdin=b"correct horse\n")
    assert made.succeeded() == "1\n"
    for number, host in enumerate((one, two), 1):
        assert beside("site", "create", "--host", host, "--email", "ada@example.com").succeeded() == f"{number}\n"
    for_all, for_two = (
        beside("token", "create", "--email", "1", "--name", "x", "--permissions", "site-read", *sites)
        .succeeded()
        .strip()
        for sites in ((), ("--site", "2"))
    )
    assert [asked("/api/v0/me", host, for_all) for host in (one, two, "three.example.com")] == [200, 200, 400]
    assert [asked("/api/v0/me", host, for_two) for host in (one, two)] == [403, 200]
    beside("token", "revoke", "2", "--yes").succeeded()
    beside("site", "change", "2", "--host", "three.example.com").succeeded()
    time.sleep(1)
    assert asked("/api/v0/me", "three.example.com", for_two) == 401
    assert [asked("/api/v0/me", host, for_all) for host in ("three.example.com", two)] == [200, 400]
    beside("site", "delete", "2", "--yes").succeeded()
    time.sleep(1)
    assert [asked(f"/api/v0/sites/{number}", one, for_all) for number in (1, 2)] == [200, 404]
    assert "last admin" in beside("user", "delete", "1", "--yes").refused()
