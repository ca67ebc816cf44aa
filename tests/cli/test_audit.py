"""``tallystick audit``, and that the log is in backups."""

from pathlib import Path

import pytest

from support.commands import CommandLine
from support.places import Place


def log_of(run: CommandLine, *options: str) -> list[list[str]]:
    rows = [line.split("\t") for line in run("audit", *options).succeeded().splitlines()]
    return [row[1:4] for row in rows]


def test_commands_are_noted_and_kept_by_backups(run: CommandLine, place: Place, tmp_path: Path) -> None:
    def ran(*words: str, stdin: bytes = b"") -> None:
        run(*words, *place.options, stdin=stdin).succeeded()

    ran("user", "create", "--email", "ada@example.com", stdin=b"correct horse\n")
    ran("site", "create", "--host", "stats.example.com", "--email", "1")
    ran("token", "create", "--email", "1", "--name", "build", "--permissions", "count")
    ran("user", "password", "1", "--revoke-tokens", stdin=b"battery staple\n")
    expected = [
        ["account created", "command line", "ada@example.com"],
        ["site created", "command line", "site 1 stats.example.com"],
        ["token created", "command line", "token 1 “build” of ada@example.com"],
        ["password changed", "command line", "ada@example.com"],
    ]
    assert log_of(run, *place.options) == expected
    assert log_of(run, "--last", "1", *place.options) == expected[-1:]
    assert run("token", "list", *place.options).succeeded() == ""
    ran("backup", str(tmp_path / "backup"))
    run("restore", str(tmp_path / "backup"), "--force", *place.options).succeeded()
    assert log_of(run, *place.options) == [*expected, ["restored", "command line", "-"]]


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_tokens_that_outlive_a_password_are_told(run: CommandLine, place: Place) -> None:
    run("user", "create", "--email", "a@example.com", *place.options, stdin=b"correct horse\n").succeeded()
    command = ("token", "create", "--email", "1", "--name", "x", "--permissions", "counters-read", *place.options)
    run(*command).succeeded()
    ran = run("user", "password", "1", *place.options, stdin=b"battery staple\n")
    assert ran.code == 0
    assert "1 API tokens of a@example.com still work; --revoke-tokens revokes them" in ran.err
