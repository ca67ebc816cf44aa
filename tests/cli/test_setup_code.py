"""The code for the first account is told in the terminal, for as long as there is none."""

import re
from contextlib import closing
from pathlib import Path

from support.commands import CommandLine
from support.server import running_server
from tallystick.ledger import open_database
from tallystick.services.accounts.seals import Seals
from tallystick.services.accounts.two_factor import unreadable_secrets

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


def test_a_start_encrypts_secrets_that_an_older_version_stored(run: CommandLine, tmp_path: Path) -> None:
    data, secret = tmp_path / "data", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    run("init", "--data", data).succeeded()
    person = ("--email", "ada@example.com", "--password", "-")
    run("user", "create", *person, "--data", data, stdin=b"correct horse\n").succeeded()
    with closing(open_database(None, data).session(writes=True)) as session, session.transaction():
        session.common.set_totp(session.connection, id=1, secret=secret, used=None, updated=0)
    with running_server(data) as server:
        assert server.get("/login").status_code == 200
    kept = {file: file.read_bytes() for file in data.rglob("*") if file.is_file()}
    assert [file.name for file, content in kept.items() if secret.encode() in content] == []
    assert (data / "secret.key").stat().st_mode & 0o777 == 0o600
    with closing(open_database(None, data).session()) as session, session.snapshot():
        assert unreadable_secrets(session, Seals.load(data, create=False)) == 0
