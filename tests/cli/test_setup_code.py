"""The code for the first account is told in the terminal, for as long as there is none."""

import re
from pathlib import Path

from support.commands import CommandLine
from support.server import running_server

TOLD = re.compile(r"/setup with the code ((?:[A-Z2-9]{4}-){3}[A-Z2-9]{4})$", re.MULTILINE)


def test_the_code_is_told_until_there_is_an_account(run: CommandLine, tmp_path: Path) -> None:
    data = tmp_path / "data"
    codes = []
    for _ in range(2):
        with running_server(data) as server:
            found = TOLD.search(server.output)
            assert found, server.output
            codes.append(found[1])
    assert codes[0] != codes[1]
    person = ("--email", "ada@example.com", "--password", "-")
    run("user", "create", *person, "--data", data, stdin=b"correct horse\n").succeeded()
    with running_server(data) as server:
        assert "/setup" not in server.output
        assert "This server is set up" in server.get("/setup").text
    kept = b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
    assert not any(code.encode() in kept for code in codes)
