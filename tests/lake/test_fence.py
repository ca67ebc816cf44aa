"""Only the holder of the lease commits to the lake."""

import itertools
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import duckdb
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lake.conftest import Opener
from support.lakes import MEMORY_MB, QuickLakeStore, fresh_database, fresh_lake, set_epoch
from tallystick.errors import DatabaseUnreachable, DatabaseUnsuitable, StoreAway, StoreBusy
from tallystick.warehouse.lake import catalogue, extensions
from tallystick.warehouse.lake.store import is_fenced, lake_error, said_of

NOTE = "UPDATE mark SET last_id = last_id + 1"


@pytest.fixture(autouse=True)
def _epoch(url: str) -> None:
    set_epoch(url, 1)


def last_id(store: QuickLakeStore) -> int:
    with store.session() as session:
        return int(session.queries.highest_id(session.connection))


def assert_fenced(refused: pytest.ExceptionInfo[duckdb.Error]) -> None:
    assert is_fenced(refused.value)
    error = lake_error(refused.value)
    assert type(error) is StoreBusy
    assert str(error) == "the lake refused a commit: only the server that holds the lease writes to the lake"


def test_an_older_epoch_cannot_commit_and_a_newer_one_can(opened: Opener, url: str) -> None:
    older = opened(1)
    before = last_id(older)
    with older.session() as session:
        session.connection.execute(NOTE)
        session.connection.execute("BEGIN")
        session.connection.execute(NOTE)
        set_epoch(url, 2)
        with pytest.raises(duckdb.Error) as refused:
            session.connection.execute("COMMIT")
        assert_fenced(refused)
        with pytest.raises(duckdb.Error) as refused:
            session.connection.execute("INSERT INTO request SELECT 'a', 'b', 'c', range FROM range(5000)")
        assert_fenced(refused)
    newer = opened(2)
    assert last_id(newer) == before + 1
    with newer.session() as session:
        assert session.connection.execute("SELECT count(*) FROM request").fetchall() == [(0,)]
        session.connection.execute(NOTE)
    assert last_id(older) == before + 2


def test_a_store_without_an_epoch_reads_what_others_commit_and_changes_nothing(opened: Opener) -> None:
    writer, reader = opened(1), opened()
    before = last_id(reader)
    with writer.session() as session:
        session.connection.execute(NOTE)
    assert last_id(reader) == before + 1
    with reader.session() as session, pytest.raises(duckdb.Error, match="read-only"):
        session.connection.execute(NOTE)


def test_a_takeover_waits_for_a_commit_in_flight_and_not_for_one_that_is_frozen(opened: Opener, url: str) -> None:
    with closing(psycopg.connect(url, options="-c tallystick.epoch=1")) as committing:
        committing.execute("UPDATE tallystick_lake.ducklake_snapshot SET snapshot_id = snapshot_id")
        with ThreadPoolExecutor(1) as pool:
            began = time.monotonic()
            takeover = pool.submit(set_epoch, url, 2)
            time.sleep(0.3)
            assert not takeover.done()
            # The connection is idle in its transaction: PostgreSQL ends it.
            takeover.result(timeout=20)
            assert 3 < time.monotonic() - began < 10
    store = opened(2)
    with store.session() as session:
        session.connection.execute(NOTE)


def test_a_reader_says_that_there_is_no_lake_yet(tmp_path: Path) -> None:
    store = QuickLakeStore(fresh_database(), str(tmp_path / "files"), MEMORY_MB, work=tmp_path)
    with pytest.raises(DatabaseUnreachable, match="the lake has not been created yet"):
        store.open()
    assert not (tmp_path / "files").exists()


def test_no_error_tells_the_password(tmp_path: Path) -> None:
    url, work = fresh_lake(tmp_path / "files"), tmp_path / "work"
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        [hba] = connection.execute("SHOW hba_file").fetchone() or [""]
        connection.execute("CREATE ROLE careful LOGIN SUPERUSER PASSWORD 'very:s''ecret'")
        rules = Path(hba).read_text("utf-8")
        Path(hba).write_text(f"local all careful scram-sha-256\n{rules}", "utf-8")
        connection.execute("SELECT pg_reload_conf()")

    def opened_with(password: str) -> QuickLakeStore:
        careful = make_conninfo(url, user="careful", password=password)
        store = QuickLakeStore(careful, str(tmp_path / "files"), MEMORY_MB, work=work, epoch=1)
        store.open()
        return store

    with pytest.raises(DatabaseUnreachable, match="password authentication failed") as refused:
        opened_with("other-s'ecret")
    assert "ecret" not in str(refused.value)
    store = opened_with("very:s'ecret")
    assert last_id(store) >= 0
    database = conninfo_to_dict(url)["dbname"]
    with closing(psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True)) as connection:
        connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false".encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
    for _ in range(2):
        with pytest.raises(duckdb.Error) as lost:
            last_id(store)
        assert "ecret" not in str(lost.value)
        error, told = lake_error(lost.value), said_of(lost.value)
        assert isinstance(error, StoreAway)
        assert told.startswith("the lake's catalogue does not answer"), told
        assert "careful" not in told, "nor how we connect"
    store.close()
    assert not [file for file in work.rglob("*") if file.is_file()], "nor any file"


def test_a_missing_extension_is_said_in_one_line(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "find_spec", lambda _: None)
    with pytest.raises(DatabaseUnsuitable, match="pip install 'tallystick\\[nodes\\]'") as refused:
        opened()
    assert "\n" not in str(refused.value)
    assert "INSTALL ducklake; INSTALL postgres_scanner;" in str(refused.value)


HOSTILE = ("'", "\\", "a\0", "\0", "a'); DROP TABLE request; --", "\0) OR pg_sleep(9) IS NULL --", "{", "é😀")


def test_values_are_never_a_part_of_a_statement_to_the_catalogue(opened: Opener) -> None:
    with opened(1).session() as session:
        for size in (1, 2_000):  # rows in the catalogue, and in a file
            for value in HOSTILE:
                row = [value, "", "", size]
                session.connection.execute("INSERT INTO request SELECT $1, $2, $3, $4 FROM range($4)", row)
        total = len(HOSTILE) * 2_001
        of_all = "SELECT count(*) FROM request WHERE key IN (SELECT unnest(CAST(? AS VARCHAR[])))"
        assert session.connection.execute(of_all, [list(HOSTILE)]).fetchall() == [(total,)]
        of_two = "SELECT count(*) FROM request WHERE key = $a OR key = $b"
        for first, second in itertools.permutations(HOSTILE, 2):
            assert session.connection.execute(of_two, {"a": first, "b": second}).fetchall() == [(4_002,)]
        session.connection.execute("DELETE FROM request")


def test_queries_reach_no_other_file(opened: Opener, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a\n1\n")
    with opened().session() as session, pytest.raises(duckdb.PermissionException):
        session.connection.execute(f"SELECT * FROM '{other}'")


def test_a_server_that_is_cut_off_does_not_keep_the_creation_lock(url: str) -> None:
    """PostgreSQL looks whether we are still there; by its default after two hours."""
    given = f"{url}&options=-c%20tcp_keepalives_idle%3D20"  # has the last word
    of_duckdb = conninfo_to_dict(catalogue.connection_string(given, 1))["options"]
    with catalogue.administered(given) as connection:
        ours = connection.info.get_parameters()["options"]
    kept = {
        "tcp_keepalives_idle": "20",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "15000",
    }
    assert _settings(ours) == kept
    assert _settings(str(of_duckdb)) == kept | {"standard_conforming_strings": "on", "tallystick.epoch": "1"}


def _settings(options: str) -> dict[str, str]:
    return dict(part.removeprefix("-c ").split("=") for part in re.findall(r"-c \S+", options))
