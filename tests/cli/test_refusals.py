"""What keeps a server from starting: one clear line each, exit code 1, and nothing begun."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import duckdb
import pytest

from support.commands import CommandLine, Ran
from support.prepared import copy_migrated_ledger, copy_migrated_warehouse
from support.server import clean_environment, tallystick
from tallystick.cli.support.data_directory import held_data_directory
from tallystick.ledger import open_database
from tallystick.ledger.postgresql import PostgresqlSession
from tallystick.ledger.sqlite import SqliteSession
from tallystick.settings import Settings
from tallystick.warehouse.duckdb.migrations import all_steps
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

LISTEN = "it accepts HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080, and unix:PATH, not"
MODE = "it accepts the three octal digits of chmod, with reading and writing for the owner, not"
NETWORKS = "it accepts addresses and networks such as 127.0.0.1 or 10.0.0.0/8:"
HEADER = "it accepts the name of a header, for example X-Real-IP, not"
BASE_PATH = "it accepts a path such as /stats or /tools/stats, without a slash at its end, not"
ORIGIN = "it accepts http:// or https:// and a host (a path is --base-path), for example https://count.example.com, not"
LIMIT = "it accepts whole numbers from 1 to 1000000, or off for no limit, not"
LIFETIME = "it accepts 1 to 36500 days, for example 365, or never, not"
CHOICES = 'choose from: "{}", "{}"'

WRONG = [
    ("listen", "8080", f"{LISTEN} '8080'"),
    ("listen", "127.0.0.1:", f"{LISTEN} '127.0.0.1:'"),
    ("listen", "127.0.0.1:65536", f"{LISTEN} '127.0.0.1:65536'"),
    ("listen", "256.0.0.1:80", "the host '256.0.0.1' is not known on this machine"),
    ("listen", "127.0.0.1:8080,8081", f"{LISTEN} '8081'"),
    ("listen", "127.0.0.1:8080,", f"{LISTEN} ''"),
    ("listen", "unix:", "it accepts unix:PATH, for example unix:/run/tallystick/http.sock, not 'unix:'"),
    ("socket-mode", "rw-rw----", f"{MODE} 'rw-rw----'"),
    ("socket-mode", "66", f"{MODE} '66'"),
    ("socket-mode", "060", f"{MODE} '060'"),
    ("socket-mode", "668", f"{MODE} '668'"),
    ("durability", "most", CHOICES.format("full", "relaxed")),
    ("trusted-proxy", "10.0.0.1/8", f"{NETWORKS} 10.0.0.1/8 has host bits set"),
    ("trusted-proxy", "proxy", f"{NETWORKS} 'proxy' does not appear to be an IPv4 or IPv6 network"),
    ("client-address-header", "X Real IP", f"{HEADER} 'X Real IP'"),
    ("client-address-header", "X-Real-IP:", f"{HEADER} 'X-Real-IP:'"),
    ("public-url", "count.example.com", f"{ORIGIN} 'count.example.com'"),
    ("public-url", "https://", f"{ORIGIN} 'https://'"),
    ("public-url", "https://a.example/counts", f"{ORIGIN} 'https://a.example/counts'"),
    ("public-url", "https://me@a.example", f"{ORIGIN} 'https://me@a.example'"),
    ("public-url", "https://a.example:x", f"{ORIGIN} 'https://a.example:x'"),
    ("public-url", "ftp://a.example", f"{ORIGIN} 'ftp://a.example'"),
    *(("base-path", text, f"{BASE_PATH} {text!r}") for text in ("stats", "/", "/stats/", "//a", "/a/../b", "/a%20b")),
    ("log-format", "xml", CHOICES.format("text", "json")),
    ("creation-limit", "-1", f"{LIMIT} '-1'"),
    ("creation-limit", "2.5", f"{LIMIT} '2.5'"),
    ("creation-limit", "many", f"{LIMIT} 'many'"),
    ("creation-limit", "1000001", f"{LIMIT} '1000001'"),
    ("namespace-keys", "-1", f"{LIMIT.replace('1000000', '1000000000')} '-1'"),
    ("public-counters", "closed", 'choose from: "open", "existing", "off"'),
    ("join", "everyone", CHOICES.format("invited", "anyone")),
    ("counter-lifetime", "0", f"{LIFETIME} '0'"),
    ("counter-lifetime", "off", f"{LIFETIME} 'off'"),
    ("counter-lifetime", "36501", f"{LIFETIME} '36501'"),
    ("counter-lifetime", "-5", f"{LIFETIME} '-5'"),
    ("counter-lifetime", "1e3", f"{LIFETIME} '1e3'"),
]
wrong = pytest.mark.parametrize(("option", "value", "accepts"), WRONG)


@wrong
def test_a_bad_flag_is_named_with_what_it_accepts(run: CommandLine, option: str, value: str, accepts: str) -> None:
    refusal = run("serve", f"--{option}={value}").refused()
    assert refusal.startswith("invalid value ")
    assert f"--{option}" in refusal
    assert refusal.lower().endswith(accepts.lower())


@wrong
def test_a_bad_variable_is_named_with_what_it_accepts(run: CommandLine, option: str, value: str, accepts: str) -> None:
    variable = f"TALLYSTICK_{option.upper().replace('-', '_')}"
    refusal = run("serve", variables={variable: value}).refused()
    assert refusal.startswith("invalid value ")
    assert variable in refusal
    assert refusal.lower().endswith(accepts.lower())


@pytest.mark.parametrize("setting", [field.name for field in fields(Settings)])
def test_an_empty_variable_is_as_good_as_none(run: CommandLine, setting: str) -> None:
    variable = f"TALLYSTICK_{setting.upper()}"
    plain, empty = run("doctor"), run("doctor", variables={variable: ""})
    assert settings_told(empty) == settings_told(plain) != []
    assert empty.code == plain.code


def test_an_empty_variable_leaves_the_word_to_the_file(run: CommandLine) -> None:
    Path("tallystick.toml").write_text("creation-limit = 7\n")
    ran = run("doctor", variables={"TALLYSTICK_CREATION_LIMIT": ""})
    assert "setting\tcreation_limit\t7\ttallystick.toml" in settings_told(ran)


def settings_told(ran: Ran) -> list[str]:
    """What doctor says about variables and settings."""
    return [line for line in ran.out.splitlines() if "setting" in line or "variables" in line]


@wrong
@pytest.mark.parametrize("spelled", [str, lambda option: option.replace("-", "_")], ids=["dashes", "underscores"])
def test_a_bad_line_of_the_file_is_named_with_what_it_accepts(
    run: CommandLine, option: str, value: str, accepts: str, spelled: type[str]
) -> None:
    Path("tallystick.toml").write_text(f'{spelled(option)} = "{value}"\n')
    refusal = run("serve").refused()
    assert refusal.startswith("tallystick.toml: Invalid value ")
    assert f"[{spelled(option)}]" in refusal
    assert refusal.lower().endswith(accepts.lower())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "listem = 1",
            "tallystick.toml has unknown settings: listem. It accepts base_path, body_timeout, ",
        ),
        ("[serve]\nlisten = 1", "tallystick.toml has unknown settings: serve. It accepts "),
        ("[listen]\nport = 1", "tallystick.toml must give listen a value, not a table"),
        ("listen = ", "tallystick.toml cannot be read: Invalid value (at end of document)"),
        ("creation-limit = 2.5", f"tallystick.toml: Invalid value for [creation-limit]: {LIMIT} '2.5'"),
        ("creation-limit = [1, 2]", "tallystick.toml: Invalid value for [creation-limit]: it accepts a whole number"),
        ('count-prefetch = "maybe"', "tallystick.toml: Invalid value for [count-prefetch]: it accepts true or false"),
        ('trusted-proxy = ["::1", "x"]', f"invalid value for --trusted-proxy: {NETWORKS} 'x' does not"),
    ],
)
def test_a_settings_file_must_make_sense(run: CommandLine, text: str, reason: str) -> None:
    Path("tallystick.toml").write_text(text)
    assert run("serve").refused().startswith(reason)


def test_a_settings_file_that_cannot_be_read_is_told(run: CommandLine) -> None:
    Path("tallystick.toml").mkdir()
    assert run("serve").refused() == "tallystick.toml cannot be read: [Errno 21] Is a directory: 'tallystick.toml'"
    Path("tallystick.toml").rmdir()
    Path("tallystick.toml").write_bytes(b"\xff")
    assert run("serve").refused().startswith("tallystick.toml cannot be read: 'utf-8' codec can't decode byte")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("serve", "--port", "1"), "unknown option: --port"),
        (("serve", "--durabilty", "full"), "unknown option: --durabilty. Did you mean --durability?"),
        (("serve", "now"), "unknown arguments: now"),
        (("serv",), 'unknown command "serv". Did you mean "serve"?'),
        (("counter", "increment"), 'unknown command "increment". '),
        (("counter", "get"), 'command "counter get" parameter NAME requires an argument'),
        (("counter", "list", "--limit"), 'command "counter list" parameter --limit requires an argument'),
        (("counter", "list", "--limit", "0"), "invalid value for --limit: it accepts whole numbers from 1 to 100000"),
        (("counter", "list", "--namespace", "a/b"), 'invalid value "a/b" for --namespace. '),
        (("counter", "import", "x.csv", "--existing", "no"), 'invalid value "no" for --existing. '),
    ],
)
def test_a_mistyped_command_is_told(run: CommandLine, arguments: tuple[str, ...], reason: str) -> None:
    assert run(*arguments).refused().startswith(reason)


ANOTHER = "--database accepts a postgresql:// URL, for example postgresql://user@host/tallystick"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://host/name", f"{ANOTHER}; leave it out for SQLite in the data directory"),
        ("", f"{ANOTHER}; leave it out for SQLite in the data directory"),
        ("postgresql://host/name?nope=1", f"{ANOTHER}: libpq cannot read it; characters such as % @ / # in a password"),
        ("postgresql://user:secret@[::1", f"{ANOTHER}: libpq cannot read it; "),
        ("postgresql://user:p@secret@host/name", f"{ANOTHER}: libpq cannot read it; "),
    ],
)
def test_a_bad_database_url_is_told_without_its_password(run: CommandLine, url: str, reason: str) -> None:
    refusal = run("counter", "list", "--database", url).refused()
    assert refusal.startswith(reason)
    assert "secret" not in refusal


def refusal_of_serve(*options: str | Path) -> str:
    """Run ``tallystick serve`` in a process of its own; answers its one line."""
    # The default port may be in use on this machine.
    listen = () if "--listen" in options else ("--listen", "127.0.0.1:0")
    ran = tallystick("serve", *options, *listen)
    return Ran(ran.returncode, ran.stdout, ran.stderr).refused()


def test_a_header_without_a_proxy_to_trust_is_refused(tmp_path: Path) -> None:
    assert refusal_of_serve("--data", tmp_path, "--client-address-header", "X-Real-IP") == (
        "--client-address-header is read from trusted proxies only: name them with --trusted-proxy"
    )


def test_serve_tells_a_bad_database_url(tmp_path: Path) -> None:
    refusal = refusal_of_serve("--data", tmp_path / "data", "--database", "postgresql://user:secret@[::1")
    assert refusal.startswith(f"{ANOTHER}: ")
    assert "secret" not in refusal


def test_a_lake_without_a_database_for_all_servers_is_refused(tmp_path: Path) -> None:
    assert refusal_of_serve("--data", tmp_path / "data", "--lake", tmp_path / "lake") == (
        "--lake needs a PostgreSQL database, which all servers share: add --database postgresql://..."
    )
    assert not (tmp_path / "lake").exists()


def test_serve_tells_an_unreachable_database(tmp_path: Path) -> None:
    with socket.socket() as closed:
        # Bound and not listening: whoever connects is refused.
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        refusal = refusal_of_serve("--data", tmp_path, "--database", f"postgresql://user:secret@127.0.0.1:{port}/name")
    assert refusal.startswith(f"cannot reach PostgreSQL at 127.0.0.1:{port}, database name: ")
    assert "Connection refused" in refusal
    assert "secret" not in refusal


def test_serve_tells_a_newer_database(tmp_path: Path, database_url: str | None) -> None:
    database = open_database(database_url, tmp_path)
    database.migrate()
    newest = database.schema()
    assert newest is not None
    with closing(database.session()) as session, session.transaction():
        assert isinstance(session, SqliteSession | PostgresqlSession)
        session.connection.execute(f"INSERT INTO migration (number, name, checksum) VALUES ({newest + 1}, 'next', '')")
    options = () if database_url is None else ("--database", database_url)
    assert refusal_of_serve("--data", tmp_path, *options) == (
        f"the database has schema {newest + 1}, this program knows schema {newest}: it was written by a newer"
        " Tallystick; start that one, or restore a backup made before"
    )


def test_serve_tells_that_the_hits_are_a_newer_program_s(tmp_path: Path) -> None:
    copy_migrated_ledger(tmp_path)
    copy_migrated_warehouse(tmp_path)
    newest = len(all_steps()) + 1
    with duckdb.connect(str(tmp_path / WAREHOUSE_FILE)) as connection:
        connection.execute("INSERT INTO migration VALUES (?, '')", [newest])
    assert refusal_of_serve("--data", tmp_path) == (
        f"the warehouse {tmp_path}/warehouse.duckdb has schema {newest}, this program knows schema {newest - 1}:"
        " it was written by a newer Tallystick; start that one, or restore a backup made before"
    )


def test_serve_tells_that_the_ledger_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"no database at all" * 1000)
    refusal = refusal_of_serve("--data", tmp_path)
    assert refusal == f"cannot open the database {tmp_path}/ledger.sqlite3: file is not a database"


def test_serve_tells_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refusal = refusal_of_serve("--data", tmp_path, "--listen", address)
    assert refusal == f"cannot listen on {address}: Address already in use; choose another address with --listen"


def test_serve_tells_an_address_of_another_machine(tmp_path: Path) -> None:
    refusal = refusal_of_serve("--data", tmp_path, "--listen", "192.0.2.1:8080")
    assert refusal.startswith("cannot listen on 192.0.2.1:8080: Cannot assign requested address")


def test_serve_tells_a_data_directory_of_another_server(tmp_path: Path) -> None:
    with held_data_directory(tmp_path):
        refusal = refusal_of_serve("--data", tmp_path)
    assert refusal == f"the data directory {tmp_path} is held by another running server"


def test_serve_tells_a_data_directory_under_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refusal = refusal_of_serve("--data", tmp_path / "file" / "data")
    assert refusal == f"cannot use the data directory {tmp_path}/file/data: Not a directory"


WITHOUT_RIGHTS = """
import os, pwd, sys
import tallystick.cli.doctor, tallystick.cli.serve  # before the right to read them is gone
from tallystick.cli.main import main
if os.geteuid() == 0:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
main()
"""


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A directory that everyone can enter and that someone without rights cannot write to."""
    with tempfile.TemporaryDirectory(prefix="tallystick-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o555)
        yield directory
        directory.chmod(0o755)


def without_rights(*arguments: str | Path) -> Ran:
    """Run a command as someone who owns nothing."""
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_RIGHTS, *arguments],
        env=clean_environment(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


@pytest.mark.parametrize("there", [True, False], ids=["there", "to be made"])
def test_serve_tells_a_read_only_data_directory(read_only: Path, *, there: bool) -> None:
    data = read_only if there else read_only / "data"
    refusal = without_rights("serve", "--data", data).refused()
    assert refusal == f"cannot use the data directory {data}: Permission denied"
    assert list(read_only.iterdir()) == []


def test_doctor_tells_a_data_directory_of_someone_else(read_only: Path) -> None:
    read_only.chmod(0)
    ran = without_rights("doctor", "--data", read_only)
    assert ran.code == 1
    assert f"FAIL\tdata directory\t{read_only} cannot be written: Permission denied" in ran.out
    assert f"FAIL\tdatabase\tcannot open the database {read_only}/ledger.sqlite3: Permission denied" in ran.out
