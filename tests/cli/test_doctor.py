"""``tallystick doctor``."""

import asyncio
import os
import re
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from support.commands import CommandLine, Ran
from support.fixed_answer import answering
from support.places import Place
from support.postgres import Postgres
from support.server import running_server
from support.terminal import on_a_terminal
from support.warehouses import a_hit, opened_warehouse
from tallystick.cli import doctor
from tallystick.cli.support.data_directory import held_data_directory
from tallystick.ledger import open_database
from tallystick.ledger.migrations import all_migrations
from tallystick.ledger.postgresql import PostgresqlSession
from tallystick.services.accounts.seals import Seals
from tallystick.services.accounts.site_hosts import note_unknown_hosts
from tallystick.services.operating.backups import BackupNote, note_backup
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

Storage = tuple[str, ...]


def checks(ran: Ran) -> dict[str, tuple[str, str]]:
    """Status and finding of each check."""
    rows = [line.split("\t") for line in ran.out.splitlines()]
    return {what: (status, found) for status, what, found, *_ in rows if status != "setting"}


def settings(ran: Ran) -> dict[str, tuple[str, str]]:
    """Value and source of each setting."""
    rows = [line.split("\t") for line in ran.out.splitlines()]
    return {name: (value, source) for kind, name, value, *rest in rows if kind == "setting" for source in rest}


def test_a_fresh_machine_is_fit_and_nothing_is_made_on_it(run: CommandLine, nowhere: Place, tmp_path: Path) -> None:
    storage = nowhere.options
    ran = run("doctor", *storage)
    found = checks(ran)
    assert ran.code == 0
    assert {status for status, _ in found.values()} <= {"OK", "WARN"}
    assert found["data directory"] == ("OK", "data does not exist yet; the server creates it")
    assert found["database"][1].endswith("has no ledger yet; the server creates it")
    assert list(tmp_path.iterdir()) == []
    # Not even tables: a second look finds none either.
    assert checks(run("doctor", *storage))["database"] == found["database"]


def test_a_ledger_is_measured_and_left_as_it_is(run: CommandLine, storage: Storage, tmp_path: Path) -> None:
    run("counter", "create", "stock", *storage).succeeded()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    found = checks(run("doctor", *storage))
    assert found["database"][0] == "OK"
    assert found["database"][1].endswith(f"schema {len(all_migrations('sqlite'))}, 1 counters")
    assert found["server"] == ("OK", "none is running on data")
    assert ("disk sync" in found) == ("--database" not in storage)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_running_server_is_seen_and_asked_how_it_is(run: CommandLine) -> None:
    with running_server(Path("data").absolute()) as server:
        address = server.url.removeprefix("http://")
        found = checks(run("doctor", "--data", "data", "--listen", address))
    assert found["server"] == ("OK", "one is running on data")
    assert found["readiness"] == ("OK", f"{server.url}/health/ready: it counts, and its background tasks succeed")


READINESS = {
    "ready": ({"status": "ready"}, "OK", "its background tasks succeed"),
    "a task fails": (
        {"status": "ready", "tasks": ["exports has not succeeded for 99 seconds"]},
        "WARN",
        "exports has not succeeded for 99 seconds; the server's log says why",
    ),
    "no commits": (
        {"status": "unavailable", "reason": "the last commit failed"},
        "FAIL",
        "not ready: the last commit failed; the server's log says more",
    ),
    "another program": (["ready"], "WARN", "if it listens elsewhere, say so with --listen"),
}


@pytest.mark.parametrize(("body", "status", "said"), READINESS.values(), ids=READINESS)
def test_what_a_running_server_says_of_itself_is_passed_on(
    run: CommandLine, body: object, status: str, said: str
) -> None:
    with held_data_directory(Path("data")), answering(body) as address:
        ran = run("doctor", "--data", "data", "--listen", address)
    assert checks(ran)["readiness"][0] == status
    assert said in checks(ran)["readiness"][1]
    assert ran.code == int(status == "FAIL")


def test_a_server_that_does_not_answer_where_it_should_is_a_warning(run: CommandLine) -> None:
    with held_data_directory(Path("data")):
        status, found = checks(run("doctor", "--data", "data", "--listen", "127.0.0.1:1"))["readiness"]
    assert status == "WARN"
    assert found.startswith("the server does not answer at http://127.0.0.1:1/health/ready")


def changed_visits(data: Path, change: str) -> None:
    """A directory with two visits, after a change of the table of visits."""

    async def two_visits() -> None:
        async with opened_warehouse(data / WAREHOUSE_FILE) as warehouse:
            await warehouse.append([a_hit(by=1), a_hit(by=2), a_hit(2, by=2)])

    data.mkdir()
    asyncio.run(two_visits())
    with duckdb.connect(str(data / WAREHOUSE_FILE)) as connection:
        connection.execute(change)


DAMAGED_VISITS = {
    "none": ("SELECT 1", "OK", "OK"),
    "a source": ("UPDATE visit SET source = 'x' WHERE pageviews = 2", "OK", "FAIL"),
    "a number": ("UPDATE visit SET pageviews = 3 WHERE pageviews = 2", "FAIL", "FAIL"),
}
WAY_OUT = "answers about visits are wrong until a start with --recompute-visits"


@pytest.mark.parametrize(("change", "quick", "thorough"), DAMAGED_VISITS.values(), ids=DAMAGED_VISITS)
def test_visits_are_compared_with_their_hits(run: CommandLine, change: str, quick: str, thorough: str) -> None:
    changed_visits(Path("data"), change)
    for options, status in (((), quick), (("--thorough",), thorough)):
        ran = run("doctor", "--data", "data", *options)
        assert checks(ran)["visits"][0] == status
        assert (WAY_OUT in checks(ran)["visits"][1]) == (status == "FAIL")
        assert ran.code == int(status == "FAIL")
    if thorough == "FAIL":
        assert checks(ran)["visits"][1].startswith("1 of 2 visits differ from their hits: ")
    else:
        assert checks(ran)["visits"] == ("OK", "2 visits were compared with their hits")


def test_a_start_computes_visits_anew(run: CommandLine) -> None:
    changed_visits(Path("data"), "UPDATE visit SET source = 'x'")
    assert checks(run("doctor", "--data", "data", "--thorough"))["visits"][0] == "FAIL"
    with running_server(Path("data").absolute(), "--recompute-visits"):
        found = checks(run("doctor", "--data", "data"))["visits"]
        assert found == ("OK", "the running server keeps them; --thorough compares a copy with the hits")
        found = checks(run("doctor", "--data", "data", "--thorough"))["visits"]
        assert found == ("OK", "2 visits were compared with their hits, in a copy of the running server's hits")


def test_visits_of_an_older_file_are_computed_by_the_next_start(run: CommandLine) -> None:
    changed_visits(Path("data"), "UPDATE mark SET visits = false; DELETE FROM visit")
    for options in ((), ("--thorough",)):
        assert checks(run("doctor", "--data", "data", *options))["visits"][0] == "OK"


def test_each_setting_is_told_with_its_source(run: CommandLine) -> None:
    Path("tallystick.toml").write_text('log-format = "json"\ndurability = "relaxed"\nlisten = "1.1.1.1:1"\n')
    ran = run(
        "doctor",
        "--listen",
        "[::1]:8081",
        variables={"TALLYSTICK_DURABILITY": "full", "TALLYSTICK_LISTEN": "2.2.2.2:2"},
    )
    assert settings(ran) == {
        "data": ("tallystick-data", "default"),
        "database": ("SQLite in the data directory", "default"),
        "lake": ("none", "default"),
        "durability": ("full", "TALLYSTICK_DURABILITY"),
        "listen": ("[::1]:8081", "flag"),
        "socket_mode": ("660", "default"),
        "trusted_proxy": ("none", "default"),
        "client_address_header": ("X-Forwarded-For", "default"),
        "public_url": ("none", "default"),
        "base_path": ("none", "default"),
        "log_format": ("json", "tallystick.toml"),
        "creation_limit": ("20", "default"),
        "namespace_keys": ("10000", "default"),
        "public_counters": ("open", "default"),
        "join": ("invited", "default"),
        "counter_lifetime": ("182.5 days", "default"),
        "count_prefetch": ("False", "default"),
        "default_site": ("none", "default"),
        "hide_foreign_counters": ("False", "default"),
        "max_connections": ("none", "default"),
        "max_head": ("65536", "default"),
        "max_headers": ("100", "default"),
        "head_timeout": ("30.0", "default"),
        "max_body": ("8388608", "default"),
        "max_upload": ("1000", "default"),
        "body_timeout": ("30.0", "default"),
        "idle_timeout": ("75.0", "default"),
        "stop_delay": ("0", "default"),
        "rate_limit": ("none", "default"),
        "geodb": ("none", "default"),
        "spam_referrers": ("none", "default"),
        "warehouse_memory": ("512MB", "default"),
    }
    said = settings(run("doctor", "--creation-limit", "off", "--counter-lifetime", "never"))
    assert (said["creation_limit"], said["counter_lifetime"]) == (("off", "flag"), ("never", "flag"))
    assert settings(run("doctor", "--creation-limit", "0"))["creation_limit"] == ("off", "flag")
    assert settings(run("doctor", "--trusted-proxy", "::1,10.0.0.0/8"))["trusted_proxy"] == (
        "::1/128, 10.0.0.0/8",
        "flag",
    )


def test_a_password_is_not_told(run: CommandLine, postgres: Postgres) -> None:
    with postgres.fresh_database() as url:
        ran = run("doctor", variables={"TALLYSTICK_DATABASE": url.replace("tallystick@", "tallystick:secret@")})
    assert "secret" not in ran.out + ran.err
    assert settings(ran)["database"][0].startswith("PostgreSQL at the local socket, database test_")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://u:secret@127.0.0.1:1/name", "cannot reach PostgreSQL at 127.0.0.1:1, database name: "),
        ("mysql://u:secret@host/name", "--database accepts a postgresql:// URL"),
    ],
)
def test_an_unreachable_database_fails(run: CommandLine, url: str, reason: str) -> None:
    ran = run("doctor", "--database", url)
    status, found = checks(ran)["database"]
    assert (ran.code, status) == (1, "FAIL")
    assert found.startswith(reason)
    assert "secret" not in ran.out + ran.err


def test_a_newer_database_fails(run: CommandLine, storage: Storage, ledger_url: str | None) -> None:
    run("counter", "create", "stock", *storage).succeeded()
    with closing(open_database(ledger_url, Path("data")).session()) as session, session.transaction():
        session.connection.execute("INSERT INTO migration (number, name, checksum) VALUES (99, 'next', '')")
    ran = run("doctor", *storage)
    status, found = checks(ran)["database"]
    assert (ran.code, status) == (1, "FAIL")
    known = len(all_migrations("sqlite"))
    assert found.endswith(f"it has schema 99, this program knows schema {known}: a newer Tallystick wrote it")


def test_a_postgresql_that_does_not_sync_is_told(
    run: CommandLine, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.fresh_database() as url:
        # The tests' own server runs without fsync.
        assert checks(run("doctor", "--database", url))["database sync"] == (
            "WARN",
            "the server has fsync = off: a power cut there could lose or damage counts",
        )
        monkeypatch.setattr(PostgresqlSession, "risks", lambda _: [])
        assert checks(run("doctor", "--database", url))["database sync"][0] == "OK"


def test_a_damaged_ledger_fails(run: CommandLine) -> None:
    Path("data").mkdir()
    Path("data/ledger.sqlite3").write_bytes(b"damaged" * 1000)
    ran = run("doctor", "--data", "data")
    assert ran.code == 1
    assert checks(ran)["database"][0] == "FAIL"


def test_a_directory_that_cannot_be_written_fails(run: CommandLine) -> None:
    ran = run("doctor", "--data", "/proc/data")
    assert ran.code == 1
    assert checks(ran)["data directory"][0] == "FAIL"
    assert checks(ran)["disk sync"][0] == "FAIL"


def test_a_variable_that_is_no_setting_is_told(run: CommandLine) -> None:
    ran = run("doctor", variables={"TALLYSTICK_LISTEM": "127.0.0.1:80"})
    assert checks(ran)["variables"] == (
        "WARN",
        "TALLYSTICK_LISTEM: no such setting; see tallystick serve --help",
    )
    assert ran.code == 0


@pytest.mark.parametrize(
    ("free", "status"), [(2 << 30, "OK"), ((1 << 30) - 1, "WARN"), ((64 << 20) - 1, "FAIL"), (0, "FAIL")]
)
def test_space_runs_out(run: CommandLine, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    ran = run("doctor")
    assert checks(ran)["free space"][0] == status
    assert ran.code == int(status == "FAIL")


@pytest.mark.parametrize(("took", "status"), [(0.000_1, "OK"), (0.019, "OK"), (0.021, "WARN"), (0.000_009, "WARN")])
def test_disks_differ(run: CommandLine, monkeypatch: pytest.MonkeyPatch, took: float, status: str) -> None:
    monkeypatch.setattr(doctor, "measured_syncs", lambda _: [took, took * 100, took])
    assert checks(run("doctor"))["disk sync"][0] == status


def test_measuring_a_slow_disk_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = [0.0]

    def slow(_: int) -> None:
        now[0] += 0.4

    monkeypatch.setattr("os.fdatasync", slow)
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    assert doctor.measured_syncs(tmp_path) == pytest.approx([0.4, 0.4, 0.4])


@pytest.mark.parametrize(("now", "status"), [(0.0, "FAIL"), (4_200_000_000.0, "FAIL")])
def test_a_clock_that_cannot_be_right_fails(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch, now: float, status: str
) -> None:
    monkeypatch.setattr("time.time", lambda: now)
    assert checks(run("doctor"))["clock"][0] == status


def test_a_clock_behind_the_ledger_is_told(run: CommandLine) -> None:
    run("init").succeeded()
    ahead = time.time() + 10_000
    os.utime("tallystick-data/ledger.sqlite3", (ahead, ahead))
    status, found = checks(run("doctor"))["clock"]
    assert status == "WARN"
    assert "but the ledger was last written" in found


def test_an_old_sqlite_fails(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: "3.51.2")
    ran = run("doctor")
    assert ran.code == 1
    assert checks(ran)["SQLite"] == (
        "FAIL",
        "3.51.2 can corrupt a ledger; install an apsw that brings 3.51.3 or newer",
    )


def test_on_a_terminal_it_is_a_table(tmp_path: Path) -> None:
    code, screen = on_a_terminal("doctor", directory=tmp_path)
    assert code == 0
    # A very fast disk is warned of, and makes the column wider.
    assert re.search(r"│ OK +│ data directory │ tallystick-data does not exist yet; the server creates it", screen)
    assert "│ durability            │ full " in screen


def test_hits_are_counted_and_left_as_they_are(run: CommandLine) -> None:
    file = Path("data") / WAREHOUSE_FILE
    file.parent.mkdir()
    assert checks(run("doctor", "--data", "data"))["hits"][0] == "OK"
    asyncio.run(_store_hits(file))
    before = file.read_bytes()
    status, found = checks(run("doctor", "--data", "data"))["hits"]
    assert (status, found.endswith("3 hits")) == ("OK", True)
    assert file.read_bytes() == before
    file.write_bytes(b"damaged" * 5_000)
    assert checks(run("doctor", "--data", "data"))["hits"][0] == "FAIL"


async def _store_hits(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit()] * 3)


def test_hosts_that_no_site_has_are_told(run: CommandLine, storage: Storage, ledger_url: str | None) -> None:
    run("user", "create", "--email", "ada@example.com", *storage, stdin=b"correct horse\n").succeeded()
    assert "hosts" not in checks(run("doctor", *storage))
    for host in ("one", "two"):
        run("site", "create", "--host", f"{host}.example.com", "--email", "1", *storage).succeeded()
    assert checks(run("doctor", *storage))["hosts"][0] == "OK"
    with closing(open_database(ledger_url, Path("data")).session(writes=True)) as session, session.transaction():
        note_unknown_hosts(session, {"blog.example.com": 1_234}, 0)
    status, found = checks(run("doctor", *storage))["hosts"]
    assert status == "WARN"
    assert "no site has: blog.example.com (1,234)" in found


def test_a_lost_key_is_told(run: CommandLine, storage: Storage, ledger_url: str | None) -> None:
    run("user", "create", "--email", "ada@example.com", *storage, stdin=b"correct horse\n").succeeded()
    seals = Seals.new()
    with closing(open_database(ledger_url, Path("data")).session(writes=True)) as session, session.transaction():
        sealed = seals.seal("A" * 32, "second step of account 1")
        session.common.set_totp(session.connection, id=1, secret=sealed, used=None, updated=0)
    status, found = checks(run("doctor", *storage))["second steps"]
    assert status == "WARN"
    assert "does not decrypt the secrets of 1 authenticator apps" in found


@pytest.mark.parametrize(
    ("days", "status", "told"),
    [
        (None, "WARN", "none was taken of data yet"),
        (6.9, "OK", "the last one was taken 6.9 days ago: 3.0 MB"),
        (7.1, "WARN", "7.1 days ago: 3.0 MB; look at the timer"),
    ],
)
def test_a_backup_that_is_old_or_missing_is_told(run: CommandLine, days: float | None, status: str, told: str) -> None:
    Path("data").mkdir()
    if days is not None:
        note_backup(Path("data"), BackupNote(int((time.time() - days * 86_400) * 1000), 3 << 20, hits=True))
    found = checks(run("doctor", "--data", "data"))["backup"]
    assert found[0] == status
    assert told in found[1]
